//! The settings of `run`, each with its three spellings and its default.

use crate::args::RunArgs;

/// Where the kernel keeps counting without an agent, unless said otherwise.
pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/insight";

/// One setting of `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `--aggregator`.
    Aggregator,
    /// `--node-name`.
    NodeName,
    /// `--cgroup-root`.
    CgroupRoot,
    /// `--interval`.
    Interval,
    /// `--listen`.
    Listen,
    /// `--max-flows`.
    MaxFlows,
    /// `--flow-idle`.
    FlowIdle,
    /// `--prefix-v4`.
    PrefixV4,
    /// `--prefix-v6`.
    PrefixV6,
    /// `--udp`.
    Udp,
    /// `--pin-dir`.
    PinDir,
    /// `--sched`.
    Sched,
    /// `--dialed`.
    Dialed,
    /// `--log`.
    Log,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Aggregator,
        Self::NodeName,
        Self::CgroupRoot,
        Self::Interval,
        Self::Listen,
        Self::MaxFlows,
        Self::FlowIdle,
        Self::PrefixV4,
        Self::PrefixV6,
        Self::Udp,
        Self::PinDir,
        Self::Sched,
        Self::Dialed,
        Self::Log,
    ];

    /// Its key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Aggregator => "aggregator",
            Self::NodeName => "node_name",
            Self::CgroupRoot => "cgroup_root",
            Self::Interval => "interval",
            Self::Listen => "listen",
            Self::MaxFlows => "max_flows",
            Self::FlowIdle => "flow_idle",
            Self::PrefixV4 => "prefix_v4",
            Self::PrefixV6 => "prefix_v6",
            Self::Udp => "udp",
            Self::PinDir => "pin_dir",
            Self::Sched => "sched",
            Self::Dialed => "dialed",
            Self::Log => "log",
        }
    }

    /// Its environment variable.
    pub fn env(self) -> String {
        format!("INSIGHT_{}", self.key().to_uppercase())
    }

    /// Its flag.
    pub fn flag(self) -> String {
        format!("--{}", self.key().replace('_', "-"))
    }

    pub(super) fn default(self) -> &'static str {
        match self {
            Self::Aggregator => "http://127.0.0.1:7701",
            // Found on the machine.
            Self::NodeName | Self::CgroupRoot => "",
            Self::Interval => "5s",
            Self::Listen => "127.0.0.1:7702",
            Self::MaxFlows => "40960",
            Self::FlowIdle => "10m",
            Self::PrefixV4 => "24",
            Self::PrefixV6 => "48",
            Self::Udp => "edges",
            Self::PinDir => DEFAULT_PIN_DIR,
            Self::Sched => "off",
            Self::Dialed => "auto",
            Self::Log => "info",
        }
    }

    pub(super) fn given(self, args: &RunArgs) -> Option<&String> {
        match self {
            Self::Aggregator => args.aggregator.as_ref(),
            Self::NodeName => args.node_name.as_ref(),
            Self::CgroupRoot => args.cgroup_root.as_ref(),
            Self::Interval => args.interval.as_ref(),
            Self::Listen => args.listen.as_ref(),
            Self::MaxFlows => args.max_flows.as_ref(),
            Self::FlowIdle => args.flow_idle.as_ref(),
            Self::PrefixV4 => args.prefix_v4.as_ref(),
            Self::PrefixV6 => args.prefix_v6.as_ref(),
            Self::Udp => args.udp.as_ref(),
            Self::PinDir => args.pin_dir.as_ref(),
            Self::Sched => args.sched.as_ref(),
            Self::Dialed => args.dialed.as_ref(),
            Self::Log => args.log.as_ref(),
        }
    }
}
