//! The program `insight-agent`: parses its arguments and does what they say.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use insight_agent::args::{Args, RunArgs, Verb};
use insight_agent::cgroups::Mounts;
use insight_agent::config::{Config, ConfigError};
use insight_agent::conntrack::Conntrack;
use insight_agent::explain::explain;
use insight_agent::kernel::{Dialing, Pins};
use insight_agent::{kernel, run};
use tracing_subscriber::EnvFilter;

/// `EX_USAGE` of sysexits.h: wrong arguments.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let done = match args.verb {
        Verb::Run(args) => count(&args),
        Verb::Doctor { json } => doctor(json),
        Verb::Detach { pin_dir } => detach(&pin_dir),
        Verb::Explain { json, what } => {
            explain(&what, json, &mut std::io::stdout()).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "insight-agent: {error:#}");
        if error.is::<ConfigError>() {
            ConfigError::EXIT_CODE.into()
        } else {
            ExitCode::FAILURE
        }
    })
}

fn count(args: &RunArgs) -> Result<ExitCode> {
    let config = Config::load(args)?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&config.log)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    run::keep_little_memory();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(run::run(config))?;
    Ok(ExitCode::SUCCESS)
}

fn detach(folder: &Path) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    if folder == Path::new("off") {
        writeln!(out, "nothing is pinned: --pin-dir is off")?;
        return Ok(ExitCode::SUCCESS);
    }
    // Not `exists`, which is false for whoever may not look.
    let exists = folder
        .try_exists()
        .with_context(|| format!("look for {}; detaching needs root", folder.display()))?;
    if !exists {
        writeln!(out, "nothing is pinned in {}", folder.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    for removed in Pins::open(folder)?.detach()? {
        writeln!(out, "detached {}", removed.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A machine without one is told so by what does not attach.
fn mount_of_v2() -> PathBuf {
    let mounts = Mounts::read();
    let mount = mounts.and_then(|mounts| mounts.default_v2().map(Path::to_owned));
    mount.unwrap_or_default()
}

fn doctor(json: bool) -> Result<ExitCode> {
    let mount = mount_of_v2();
    let mut diagnosis = kernel::diagnose(run::btf_path());
    if diagnosis.error.is_none() {
        let conntrack = Conntrack::new(Dialing::On, mount);
        diagnosis.probes.extend_from_slice(conntrack.probes());
    }
    let text = if json {
        serde_json::to_string_pretty(&diagnosis)? + "\n"
    } else {
        diagnosis.text()
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("print")?;
    Ok(if diagnosis.counts_flows {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
