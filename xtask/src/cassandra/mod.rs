//! A real Cassandra on this machine, one node or a ring of three: up, down, status.

mod home;
mod node;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::patience::wait_until;
use crate::project::Project;
use crate::setup::{self, needs};
pub(crate) use home::{Home, Version};
use node::Node;

/// How long a node takes to answer: 6 s on two idle processors.
const READY: Duration = Duration::from_secs(180);

const EXAMPLES: &str = "Examples:
  cargo xtask cassandra up
  insight-aggregator schema apply --replication 1 --store cassandra://127.0.42.1/insight
  insight-aggregator serve --store cassandra://127.0.42.1/insight
  cargo xtask cassandra down

It listens at 127.0.42.1 to 127.0.42.3 only, and takes about 1.2 GB of memory a node. Its data is in the temporary folder and goes with it.";

/// Arguments of `cargo xtask cassandra`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Install and fetch what is missing, start what does not run, wait until it answers
    Up {
        /// 1, or 3 for a ring
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        nodes: u8,
        /// Which Cassandra
        #[arg(long, value_enum, default_value_t)]
        version: Version,
    },
    /// End it and remove its data
    Down,
    /// Say what runs; fails when nothing does
    Status,
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Result<()> {
    match args.verb {
        Verb::Up { nodes, version } => {
            let project = Project::find()?;
            setup::require(&project, needs::CASSANDRA)?;
            up(&Home::obtain(version)?, nodes)
        }
        Verb::Down => down(),
        Verb::Status => status(),
    }
}

/// Starts what does not run, and waits.
pub(crate) fn up(home: &Home, nodes: u8) -> Result<()> {
    let state = state();
    std::fs::create_dir_all(&state).with_context(|| format!("make {}", state.display()))?;
    let _lock = lock(&state)?;
    // Data of one version, or of a ring of another size, is not opened by another.
    let stamp = format!("{} {nodes}\n", home.folder.display());
    let stamp_file = state.join("stamp");
    match std::fs::read_to_string(&stamp_file) {
        Ok(before) if before != stamp => {
            bail!("another one is there: run `cargo xtask cassandra down` first")
        }
        _ => std::fs::write(&stamp_file, &stamp).context("write the stamp")?,
    }
    for number in 0..nodes {
        let node = Node::new(&state, number);
        if node.running().is_some() {
            println!("{} runs already", node.address());
            continue;
        }
        println!(
            "starting Cassandra at {}, log in {}",
            node.address(),
            node.log().display()
        );
        let mut child = node.start(home, nodes)?;
        // Its note of its process comes a moment after its start, so its end is told by the process itself.
        let mut ended = || matches!(child.try_wait(), Ok(Some(_)));
        ensure!(
            wait_until(READY, || node.answers() || ended()) && node.answers(),
            "Cassandra at {} does not answer; its log ends\n{}",
            node.address(),
            node.log_end()
        );
    }
    status()
}

/// Ends it and removes its data, if there is any.
pub(crate) fn down() -> Result<()> {
    let state = state();
    if !state.exists() {
        println!("there is no Cassandra");
        return Ok(());
    }
    let _lock = lock(&state)?;
    for number in 0..3 {
        Node::new(&state, number).end()?;
    }
    std::fs::remove_dir_all(&state).with_context(|| format!("remove {}", state.display()))?;
    println!("removed {}", state.display());
    Ok(())
}

fn status() -> Result<()> {
    let state = state();
    let mut up = 0;
    for node in (0..3).map(|number| Node::new(&state, number)) {
        if let Some(id) = node.running() {
            let word = if node.answers() {
                "answers"
            } else {
                "does not answer (yet)"
            };
            println!("{}:9042 {word} (process {id})", node.address());
            up += u8::from(node.answers());
        }
    }
    ensure!(up > 0, "no Cassandra is up: run `cargo xtask cassandra up`");
    println!("use it: --store cassandra://127.0.42.1/insight");
    Ok(())
}

/// Ends whatever this verb or an aborted test left, and says how many nodes and folders.
pub(crate) fn clean() -> Result<usize> {
    let folder = std::env::temp_dir();
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let ours = entries.flatten().map(|entry| entry.path()).filter(|path| {
        path.is_dir()
            && path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(NAME))
    });
    let mut removed = 0;
    for state in ours {
        for number in 0..3 {
            Node::new(&state, number).end()?;
        }
        std::fs::remove_dir_all(&state).with_context(|| format!("remove {}", state.display()))?;
        removed += 1;
    }
    Ok(removed)
}

/// How the folders of all our nodes begin, the tests' too.
const NAME: &str = "insight-cassandra";

/// What runs for the verb keeps everything here.
fn state() -> PathBuf {
    std::env::temp_dir().join(NAME)
}

/// Whether somebody has brought one up here.
pub(crate) fn exists() -> bool {
    state().join("stamp").exists()
}

/// Two at once would start everything twice.
fn lock(state: &Path) -> Result<File> {
    let path = state.with_extension("lock");
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    file.lock()
        .with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}
