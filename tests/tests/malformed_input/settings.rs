//! Wrong arguments and settings, and ports in use.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use insight_tests::needs_root;
use insight_tests::product::{free_port, serve_args};
use tempfile::TempDir;

use crate::{FAILED, USAGE, expect, run};

#[test]
fn the_agent_refuses_wrong_settings() -> Result<()> {
    let folder = TempDir::with_prefix("insight-settings-")?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let bad_key = file("key.toml", "intervall = \"5s\"\n")?;
    let bad_syntax = file("syntax.toml", "interval = \n")?;
    let bad_value = file("value.toml", "interval = \"soon\"\n")?;
    let cases: [(&[&str], &[&str]); 12] = [
        (&["count"], &["count", "--help"]),
        (
            &["run", "--agregator", "x"],
            &["--agregator", "--aggregator"],
        ),
        (
            &["run", "--aggregator", "nowhere:7701"],
            &["aggregator", "http://127.0.0.1:7701"],
        ),
        (
            &["run", "--aggregator", "https://a:7701"],
            &["TLS", "http://HOST:PORT"],
        ),
        (
            &["run", "--aggregator", "http://a"],
            &["port", "http://HOST:PORT"],
        ),
        (
            &["run", "--interval", "5"],
            &["--interval", "unit", "500ms"],
        ),
        (
            &["run", "--listen", "7702"],
            &["--listen", "127.0.0.1:7702"],
        ),
        (
            &["run", "--cgroup-root", "/nonexistent"],
            &["--cgroup-root", "/nonexistent", "cgroup v2 mount"],
        ),
        (
            &["run", "--config", &bad_key],
            &["intervall", &bad_key, "interval"],
        ),
        (&["run", "--config", &bad_syntax], &[&bad_syntax]),
        (
            &["run", "--config", &bad_value],
            &[&bad_value, "interval", "5s"],
        ),
        (
            &["run", "--config", "/nonexistent.toml"],
            &["/nonexistent.toml", "--config"],
        ),
    ];
    for (args, parts) in cases {
        expect(&run("insight-agent", args, &[])?, USAGE, parts)
            .with_context(|| format!("insight-agent {args:?}"))?;
    }
    let env = [("INSIGHT_MAX_FLOWS", "1")];
    let outcome = run("insight-agent", &["run"], &env)?;
    expect(&outcome, USAGE, &["INSIGHT_MAX_FLOWS", "from 16"])
}

#[test]
fn the_aggregator_refuses_wrong_settings() -> Result<()> {
    let folder = TempDir::with_prefix("insight-settings-")?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let bad_key = file("key.toml", "retension = \"7d\"\n")?;
    let bad_syntax = file("syntax.toml", "retention = \n")?;
    let cases: [(&[&str], &[&str]); 9] = [
        (&["server"], &["server", "--help"]),
        (&["serve", "--grcp", "127.0.0.1:1"], &["--grcp", "--grpc"]),
        (&["serve", "--grpc", "7701"], &["--grpc", "7701"]),
        (
            &["serve", "--store", "/var/lib/insight"],
            &["hint:", "embedded:DIR"],
        ),
        (
            &["serve", "--retention", "long"],
            &["retention", "long", "hint:"],
        ),
        (
            &["serve", "--config", &bad_key],
            &["retension", &bad_key, "hint:", "retention"],
        ),
        (&["serve", "--config", &bad_syntax], &[&bad_syntax, "hint:"]),
        (
            &["serve", "--config", "/nonexistent.toml"],
            &["/nonexistent.toml", "hint:"],
        ),
        (&["graph", "--format", "gif"], &["gif", "mermaid"]),
    ];
    for (args, parts) in cases {
        expect(&run("insight-aggregator", args, &[])?, USAGE, parts)
            .with_context(|| format!("insight-aggregator {args:?}"))?;
    }
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let outcome = run("insight-aggregator", &["graph", "--server", &nobody], &[])?;
    expect(&outcome, FAILED, &[&nobody, "hint:", "--server"])
}

/// Ports in use: each program says which, and how to choose another.
#[test]
fn a_port_in_use_is_named() -> Result<()> {
    needs_root!("a port in use is named");
    let taken = free_port()?;
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken))?;
    let address = format!("127.0.0.1:{taken}");
    let folder = TempDir::with_prefix("insight-ports-")?;
    for (grpc, http, flag) in [
        (taken, free_port()?, "--grpc"),
        (free_port()?, taken, "--http"),
    ] {
        let args = serve_args(&folder.path().join(flag), grpc, http);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = run("insight-aggregator", &args, &[])?;
        expect(&outcome, FAILED, &[&address, "hint:", flag])?;
    }
    let outcome = run("insight-agent", &["run", "--listen", &address], &[])?;
    expect(&outcome, FAILED, &[&address, "--listen"])
}
