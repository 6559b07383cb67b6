//! Settings: defaults < TOML file < environment < flags, checked and typed.
//!
//! Every error names the setting, where its value came from, and a value that would work.

mod check;
mod layers;
mod setting;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use check::{MAX_INTERVAL, MIN_INTERVAL};
pub use setting::{DEFAULT_PIN_DIR, Setting};

use crate::args::RunArgs;
use crate::boot;
use crate::cgroups::Mounts;
use crate::cgroups::mount::V1;
use crate::kernel::{Dialing, Udp};
use layers::Layers;

/// What `run` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to report, `http://HOST:PORT`; a valid endpoint.
    pub aggregator: String,
    /// This node's name; not empty, without `/` and white space.
    pub node_name: String,
    /// The directory in and below which sockets are counted; exists, within `cgroup_mount`.
    pub cgroup_root: PathBuf,
    /// The cgroup v2 mount that `cgroup_root` lies in.
    pub cgroup_mount: PathBuf,
    /// The v1 hierarchies beside it.
    pub cgroup_v1: V1,
    /// How often to report, 100 ms to 10 minutes.
    pub interval: Duration,
    /// Where the agent's own HTTP listens.
    pub listen: SocketAddr,
    /// Room for flows in the kernel's map.
    pub max_flows: u32,
    /// How long a flow may be idle before its room is used for others.
    pub flow_idle: Duration,
    /// Bits that are kept of the address of a server's client outside of the cluster: IPv4, IPv6.
    pub prefixes: (u8, u8),
    /// How much of UDP is counted.
    pub udp: Udp,
    /// The folder where maps and links are pinned; none: they go with the agent.
    pub pin_dir: Option<PathBuf>,
    /// Whether to count how long threads wait for a CPU.
    pub sched: bool,
    /// When addresses that something put in another's place are looked for.
    pub dialed: Dialing,
    /// A valid filter of `tracing_subscriber::EnvFilter`.
    pub log: String,
}

/// A setting that cannot be right. The program should exit with [`ConfigError::EXIT_CODE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    /// `EX_USAGE` of sysexits(3): starting again with the same settings will not help.
    pub const EXIT_CODE: u8 = 64;

    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file, the environment and the mounts of this process.
    pub fn load(args: &RunArgs) -> Result<Self, ConfigError> {
        let file = match &args.config {
            Some(path) => Some((path.as_path(), read(path)?)),
            None => None,
        };
        let env =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
        let layers = Layers::new(args, env, file)?;
        let mounts = Mounts::read().map_err(|error| ConfigError::new(format!("{error:#}")))?;
        Self::resolve(&layers, &mounts)
    }

    fn resolve(layers: &Layers, mounts: &Mounts) -> Result<Self, ConfigError> {
        let get = |setting| layers.get(setting);
        let node_name = match get(Setting::NodeName) {
            "" => boot::hostname(),
            name => name.to_owned(),
        };
        let (cgroup_root, cgroup_mount) =
            layers.check(Setting::CgroupRoot, |root| check::cgroup_root(root, mounts))?;
        Ok(Self {
            aggregator: layers.check(Setting::Aggregator, check::aggregator)?,
            node_name: layers.check(Setting::NodeName, |_| check::node_name(&node_name))?,
            cgroup_v1: mounts.v1_beside(&cgroup_mount),
            cgroup_root,
            cgroup_mount,
            interval: layers.check(Setting::Interval, check::interval)?,
            listen: layers.check(Setting::Listen, check::listen)?,
            max_flows: layers.check(Setting::MaxFlows, check::max_flows)?,
            flow_idle: layers.check(Setting::FlowIdle, check::flow_idle)?,
            prefixes: (
                layers.check(Setting::PrefixV4, |bits| check::prefix(bits, 32, "24"))?,
                layers.check(Setting::PrefixV6, |bits| check::prefix(bits, 128, "48"))?,
            ),
            udp: layers.check(Setting::Udp, check::udp)?,
            pin_dir: layers.check(Setting::PinDir, check::pin_dir)?,
            sched: layers.check(Setting::Sched, check::switch)?,
            dialed: layers.check(Setting::Dialed, check::dialed)?,
            log: layers.check(Setting::Log, check::log)?,
        })
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!(
            "cannot read the settings file {}: {error}; it is named by --config or INSIGHT_CONFIG, and may be left out",
            path.display()
        ))
    })
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
