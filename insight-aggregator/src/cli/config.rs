//! What `serve` runs with: flags and environment over file over defaults.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format as _, Toml};
use ipnet::IpNet;
use serde::Deserialize;

use super::access::AccessArgs;
use super::args::{LogFormat, ServeArgs};
use super::duration;
use super::failure::Failure;
use crate::graph::DEFAULT_RANGE_MS;
use crate::kubernetes::watch::Asked;
use crate::store::{self, Access};

/// The store's engine tells of every compaction at "info"; the client of Kubernetes of each try, and of answers that it cannot read with
/// all that is in them; Cassandra's of each try, at each node, each second.
const DEFAULT_LOG: &str = "info,fjall=warn,lsm_tree=warn,kube_client=off,scylla=off";

/// What `--debug` means: the libraries below would drown what it is asked for.
const DEBUG_LOG: &str =
    "info,insight_aggregator=debug,fjall=warn,lsm_tree=warn,kube_client=off,scylla=off";

/// The shortest retention: with less, the graph that everybody asks for first would be cut without a word.
const MIN_RETENTION: Duration = Duration::from_millis(DEFAULT_RANGE_MS.unsigned_abs());

/// Ranges that an agent's kernel has room for, and as many again.
const MAX_RANGES: usize = 4_096;

/// What `serve` runs with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) cluster_insight: Option<SocketAddr>,
    pub(super) store: String,
    pub(super) access: Access,
    pub(super) retention: Duration,
    pub(super) names_retention: Duration,
    pub(super) agent_interval: Option<Duration>,
    pub(super) cluster_ranges: Vec<IpNet>,
    pub(super) kubernetes: Asked,
    pub(super) kubernetes_secrets: bool,
    pub(super) log: String,
    pub(super) log_format: LogFormat,
}

/// The file; its keys are the flags' names.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
    cluster_insight: Option<SocketAddr>,
    store: Option<String>,
    retention: Option<String>,
    names_retention: Option<String>,
    agent_interval: Option<String>,
    cluster_ranges: Option<Vec<String>>,
    kubernetes: Option<String>,
    kubernetes_secrets: Option<bool>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    store_user: Option<String>,
    store_password: Option<String>,
    store_password_file: Option<PathBuf>,
    store_ca: Option<PathBuf>,
    store_cert: Option<PathBuf>,
    store_key: Option<PathBuf>,
}

impl Config {
    pub(super) fn resolve(args: ServeArgs) -> Result<Self, Failure> {
        let file = match &args.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let access = args.access.or(AccessArgs {
            store_user: file.store_user,
            store_password: file.store_password,
            store_password_file: file.store_password_file,
            store_ca: file.store_ca,
            store_cert: file.store_cert,
            store_key: file.store_key,
        });
        let access = access.resolve()?;
        let localhost = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let retention = args.retention.or(file.retention);
        let retention = parse_retention(retention.as_deref().unwrap_or("7d"))?;
        let names_retention = args.names_retention.or(file.names_retention);
        let names_retention = names_retention
            .as_deref()
            .map(parse_retention)
            .transpose()?;
        let agent_interval = args.agent_interval.or(file.agent_interval);
        let ranges = args.cluster_ranges.or(file.cluster_ranges);
        let grpc = args.grpc.or(file.grpc).unwrap_or_else(|| localhost(7701));
        let http = args.http.or(file.http).unwrap_or_else(|| localhost(7700));
        let debug = args.legacy.debug.then(|| DEBUG_LOG.to_owned());
        let own_flag = args.cluster_insight.or(args.legacy.address());
        let cluster_insight = own_flag.or(file.cluster_insight);
        if let Some(taken) =
            cluster_insight.filter(|own| [grpc, http].contains(own) && own.port() != 0)
        {
            return Err(Failure::usage(
                format!("--cluster-insight is {taken}, and so is --grpc or --http"),
                "give it a port of its own, for example --cluster-insight 127.0.0.1:5555, or leave it out: its paths are at --http, too",
            ));
        }
        // Port 0 is any that is free.
        if grpc == http && grpc.port() != 0 {
            return Err(Failure::usage(
                format!("--grpc and --http are both {grpc}"),
                "give each a port of its own, for example --grpc 127.0.0.1:7701 --http 127.0.0.1:7700",
            ));
        }
        Ok(Self {
            grpc,
            http,
            cluster_insight,
            store: check_store(match args.store.or(file.store) {
                Some(store) => store,
                None => default_store(rustix::process::geteuid().is_root(), |name| {
                    env::var_os(name).map(PathBuf::from)
                })?,
            })?,
            access,
            retention,
            names_retention: names_retention.unwrap_or(retention),
            agent_interval: agent_interval
                .as_deref()
                .map(parse_agent_interval)
                .transpose()?,
            cluster_ranges: parse_ranges(&ranges.unwrap_or_default())?,
            kubernetes: args
                .kubernetes
                .or(file.kubernetes.map(|text| parse_kubernetes(&text)))
                .unwrap_or_default(),
            kubernetes_secrets: args
                .kubernetes_secrets
                .or(file.kubernetes_secrets)
                .unwrap_or(false),
            log: args
                .log
                .or(debug)
                .or(file.log)
                .unwrap_or_else(|| DEFAULT_LOG.into()),
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(
                format!("cannot read the configuration {}: {error}", path.display()),
                "name a file that is there with --config, or leave it out",
            )
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let parsed = Figment::from(Toml::string(text)).extract();
        parsed.map_err(|error: figment::Error| match &error.kind {
            Kind::UnknownField(key, known) => Failure::usage(
                format!("unknown key {key:?} in {}", path.display()),
                format!("the keys are {}", known.join(", ")),
            ),
            kind => {
                let key = error.path.join(".");
                let at = if key.is_empty() {
                    String::new()
                } else {
                    format!(", key {key:?}")
                };
                Failure::usage(
                    format!("cannot use {}{at}: {kind}", path.display()),
                    "see `insight-aggregator serve --help` for an example of the file",
                )
            }
        })
    }
}

fn check_store(url: String) -> Result<String, Failure> {
    match store::is_url(&url) {
        Ok(()) => Ok(url),
        Err(error) => Err(Failure::usage(
            format!("{error:#}"),
            "write --store embedded:DIR, for example embedded:/var/lib/insight, or --store cassandra://HOST/KEYSPACE",
        )),
    }
}

pub(super) fn parse_retention(text: &str) -> Result<Duration, Failure> {
    let retention = duration::parse(text).ok_or_else(|| {
        Failure::usage(
            format!("retention {text:?} is not a duration"),
            duration::FORM,
        )
    })?;
    if retention < MIN_RETENTION {
        return Err(Failure::usage(
            format!(
                "retention {text:?} is too short: a graph covers 15 minutes unless another time is asked for"
            ),
            "write 15m or more, for example --retention 12h",
        ));
    }
    Ok(retention)
}

/// A fleet that reports more often would spend more on reporting than on counting; one that reports less often would leave the
/// graph's last quarter of an hour empty.
fn parse_agent_interval(text: &str) -> Result<Duration, Failure> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(600);
    duration::parse(text)
        .filter(|interval| bounds.contains(interval))
        .ok_or_else(|| {
            Failure::usage(
                format!("agents cannot report every {text:?}"),
                "give --agent-interval a duration from 1s to 10m, for example 5s, or leave it out",
            )
        })
}

fn parse_kubernetes(text: &str) -> Asked {
    // Every text is a word or a file.
    let Ok(asked) = text.parse();
    asked
}

fn parse_ranges(ranges: &[String]) -> Result<Vec<IpNet>, Failure> {
    if ranges.len() > MAX_RANGES {
        return Err(Failure::usage(
            format!("{} cluster ranges are too many", ranges.len()),
            format!("give at most {MAX_RANGES}; larger ones may hold several of them"),
        ));
    }
    let parse = |range: &String| {
        let parsed: Result<IpNet, _> = range.trim().parse();
        parsed.map(|range| range.trunc()).map_err(|_| {
            Failure::usage(
                format!("{range:?} is no range of addresses"),
                "write --cluster-ranges in CIDR form, for example --cluster-ranges 10.244.0.0/16,10.96.0.0/12,fd00::/8",
            )
        })
    };
    ranges
        .iter()
        .filter(|range| !range.trim().is_empty())
        .map(parse)
        .collect()
}

/// Where a service of this user keeps its state.
fn default_store(is_root: bool, env: impl Fn(&str) -> Option<PathBuf>) -> Result<String, Failure> {
    if is_root {
        return Ok("embedded:/var/lib/insight".into());
    }
    let absolute = |name| env(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            Failure::usage(
                "there is no --store, and neither HOME nor XDG_STATE_HOME says where state is kept",
                "write --store embedded:DIR",
            )
        })?;
    Ok(format!("embedded:{}", state.join("insight").display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match File::parse(text, Path::new("/etc/a.toml")) {
            Err(Failure::Error { message, hint, .. }) => format!("{message} | {hint}"),
            _ => panic!("{text:?} was taken"),
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_the_known_ones() {
        let error = error("grpc = \"127.0.0.1:1\"\nretension = \"7d\"\n");
        assert!(error.contains("\"retension\" in /etc/a.toml"), "{error}");
        assert!(
            error.contains(
                "grpc, http, cluster_insight, store, retention, names_retention, agent_interval, cluster_ranges, kubernetes, kubernetes_secrets, log, log_format"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_bad_value_and_bad_syntax_name_the_file() {
        let bad_value = error("grpc = 7\n");
        assert!(
            bad_value.contains("/etc/a.toml, key \"grpc\""),
            "{bad_value}"
        );
        let bad_syntax = error("grpc = \n");
        assert!(bad_syntax.contains("/etc/a.toml"), "{bad_syntax}");
    }

    #[test]
    fn the_default_store_is_the_users() {
        let env = |vars: &'static [(&str, &str)]| {
            move |name: &str| {
                let var = vars.iter().find(|(known, _)| *known == name);
                var.map(|(_, value)| PathBuf::from(value))
            }
        };
        let home = &[("HOME", "/home/a")];
        let both = &[("HOME", "/home/a"), ("XDG_STATE_HOME", "/state")];
        assert_eq!(
            default_store(true, env(both)).unwrap(),
            "embedded:/var/lib/insight"
        );
        assert_eq!(
            default_store(false, env(both)).unwrap(),
            "embedded:/state/insight"
        );
        assert_eq!(
            default_store(false, env(home)).unwrap(),
            "embedded:/home/a/.local/state/insight"
        );
        assert!(default_store(false, env(&[("HOME", "relative")])).is_err());
    }

    #[test]
    fn agents_report_neither_too_often_nor_too_seldom() {
        assert_eq!(parse_agent_interval("2s").unwrap(), Duration::from_secs(2));
        for bad in ["0s", "11m", "5", "", "-1s"] {
            assert!(parse_agent_interval(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn store_urls_are_checked() {
        for good in [
            "embedded:/a",
            "embedded:a:b",
            "memory:",
            "cassandra://a,b:1/k?dc=x",
        ] {
            assert!(check_store(good.into()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "embedded:",
            "memory:x",
            "cassandra://host",
            "cassandra:x",
        ] {
            assert!(check_store(bad.into()).is_err(), "{bad}");
        }
    }
}
