//! The command line as typed. What it means, together with the environment and the file, is decided in
//! [`config`](crate::config).

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::DEFAULT_PIN_DIR;

const EXAMPLES: &str = "\
Examples:
  insight-agent run                   count this node
  insight-agent run --aggregator http://insight:7701 --interval 10s
  insight-agent doctor                what does this kernel support?
  insight-agent explain 4711          who owns the flows of process 4711?";

const RUN_EXAMPLES: &str = "\
Each setting is taken from the flag, else the environment, else the file, else the default.
The file is TOML; its keys are the flags' names with _ for -:
  aggregator = \"http://insight:7701\"
  interval = \"10s\"
  max_flows = 40960

Examples:
  insight-agent run --aggregator http://127.0.0.1:7701 --node-name n1
  insight-agent run --cgroup-root /sys/fs/cgroup/kubepods.slice
  INSIGHT_INTERVAL=1s insight-agent run --config /etc/insight/agent.toml

/readyz says whether this agent counts, and nothing of the aggregator: while that is away counting \
goes on in the kernel, and else every agent would become unready at once, and rollouts would stop, for a \
fault that is not theirs. Whether reports arrive is told by /status (\"aggregator\"), by \
insight_agent_aggregator_connected in /metrics, and by the aggregator's GET /v1/agents.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  insight-agent doctor
  insight-agent doctor --json | jq '.probes[] | select(.attached | not)'";

const DETACH_EXAMPLES: &str = "\
What was counted and not reported yet is lost; stop the agent with SIGTERM first.

Example:
  insight-agent detach                before the agent is uninstalled";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  insight-agent explain /kubepods/burstable/pod095e82d2-713c-467a-a18a-cbb50a075296
  insight-agent explain 4711 1
  insight-agent explain --json 6d1234da0f5a";

/// Counts every flow and container of one Linux node, in the kernel, and reports them to an aggregator.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "insight-agent", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Count and report until SIGINT or SIGTERM.
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Say what this kernel supports, what it does not, why, and what that costs. Exit status 1: flows cannot be counted.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove what agents have pinned: nothing is counted on this node any more.
    #[command(after_help = DETACH_EXAMPLES)]
    Detach {
        /// The folder that `run` was given
        #[arg(long, value_name = "FOLDER", env = "INSIGHT_PIN_DIR", hide_env_values = true, default_value = DEFAULT_PIN_DIR)]
        pin_dir: PathBuf,
    },
    /// Say how a cgroup is named, and why.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
        /// A cgroup path (starts with /), a process id, or the first 12 or more digits of a container id.
        #[arg(required = true, value_name = "PATH|PID|CONTAINER-ID")]
        what: Vec<String>,
    },
}

/// Flags of `run`, as text; `None` where not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct RunArgs {
    /// Where to report [env: INSIGHT_AGGREGATOR] [default: http://127.0.0.1:7701]
    #[arg(long, value_name = "URL")]
    pub aggregator: Option<String>,
    /// This node's name, as in Kubernetes where there is one [env: INSIGHT_NODE_NAME] [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// The directory of the cgroup v2 tree in and below which sockets are counted [env: INSIGHT_CGROUP_ROOT] [default:
    /// the cgroup v2 mount]
    #[arg(long, value_name = "PATH")]
    pub cgroup_root: Option<String>,
    /// How often to report, 100ms to 10m [env: INSIGHT_INTERVAL] [default: 5s]
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Address of /metrics, /healthz, /readyz and /status [env: INSIGHT_LISTEN] [default: 127.0.0.1:7702]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Room for flows in the kernel, 16 to 4194304 [env: INSIGHT_MAX_FLOWS] [default: 40960]
    #[arg(long, value_name = "N")]
    pub max_flows: Option<String>,
    /// How long a flow may be idle before its room in the kernel is used for others, 1s to 24h; earlier when three quarters of the room are
    /// taken [env: INSIGHT_FLOW_IDLE] [default: 10m]
    #[arg(long, value_name = "TIME")]
    pub flow_idle: Option<String>,
    /// How many bits are kept of the IPv4 address of a server's client that is outside of the cluster (the aggregator's --cluster-ranges); 32:
    /// all [env: INSIGHT_PREFIX_V4] [default: 24]
    #[arg(long, value_name = "BITS")]
    pub prefix_v4: Option<String>,
    /// The same for IPv6; 128: all [env: INSIGHT_PREFIX_V6] [default: 48]
    #[arg(long, value_name = "BITS")]
    pub prefix_v6: Option<String>,
    /// How much of UDP to count: 'edges', who talks to whom, at no cost for TCP's messages; 'bytes', datagrams and bytes too, which
    /// runs two short programs for each message of TCP as well (Linux 6.3); or 'off' [env: INSIGHT_UDP] [default: edges]
    #[arg(long, value_name = "off|edges|bytes")]
    pub udp: Option<String>,
    /// A folder in a BPF file system where maps and programs are pinned, so that the kernel goes on counting without an agent and a
    /// restart, an upgrade or a crash loses nothing; 'off' detaches everything when the agent ends [env: INSIGHT_PIN_DIR] [default:
    /// /sys/fs/bpf/insight]
    #[arg(long, value_name = "FOLDER")]
    pub pin_dir: Option<String>,
    /// Count how long the threads of each container wait for a CPU, and how often they get one; 'on' or 'off' [env: INSIGHT_SCHED]
    /// [default: off]
    #[arg(long, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub sched: Option<String>,
    /// Whether to find out what programs asked for where a Service's address was put in a backend's place, or the other way round: auto (on
    /// where a program sits on the cgroup's connect hooks, or NAT is in use), on, off. Needs CAP_NET_ADMIN [env: INSIGHT_DIALED] [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub dialed: Option<String>,
    /// What to log: error, warn, info, debug, trace, or target=level,… [env: INSIGHT_LOG] [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// A TOML file with settings [env: INSIGHT_CONFIG]
    #[arg(long, value_name = "FILE", env = "INSIGHT_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn verbs() {
        let parse = |line: &str| Args::try_parse_from(line.split(' '));
        assert_eq!(
            parse("insight-agent explain --json 1 /a").unwrap().verb,
            Verb::Explain {
                json: true,
                what: vec!["1".to_owned(), "/a".to_owned()]
            }
        );
        assert_eq!(
            parse("insight-agent doctor").unwrap().verb,
            Verb::Doctor { json: false }
        );
        let sched = |line: &str| match parse(line).unwrap().verb {
            Verb::Run(args) => args.sched,
            verb => panic!("{verb:?}"),
        };
        assert_eq!(sched("insight-agent run --sched").as_deref(), Some("on"));
        assert_eq!(
            sched("insight-agent run --sched=off --log info").as_deref(),
            Some("off")
        );
        assert_eq!(sched("insight-agent run"), None);
        assert!(parse("insight-agent explain").is_err());
        assert!(parse("insight-agent").is_err());
        assert!(parse("insight-agent run --agregator x").is_err());
    }

    #[test]
    fn help_shows_defaults_variables_and_examples() {
        let mut command = Args::command();
        let help = command
            .find_subcommand_mut("run")
            .unwrap()
            .render_long_help();
        let help = help
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for expected in
            crate::config::Setting::ALL.map(|s| format!("[env: {}] [default: ", s.env()))
        {
            assert!(help.contains(&expected), "{expected} in {help}");
        }
        for expected in [
            "[default: 5s]",
            "[default: 40960]",
            "[default: 127.0.0.1:7702]",
            "Examples:",
            "/readyz says whether this agent counts, and nothing of the aggregator",
        ] {
            assert!(help.contains(expected), "{expected} in {help}");
        }
        for verb in command.get_subcommands_mut() {
            let name = verb.get_name().to_owned();
            let help = verb.render_long_help().to_string();
            assert!(help.contains("Example"), "no example of {name}: {help}");
        }
    }
}
