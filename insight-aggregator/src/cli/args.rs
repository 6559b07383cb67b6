//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::access::AccessArgs;
use super::diff::DiffArgs;
pub(super) use super::schema_args::{SchemaArgs, SchemaVerb};
use crate::graph::QueryText;
use crate::kubernetes::watch::Asked;
use crate::model::Level;

/// Joins what agents report into the dependency graph, keeps it and serves it.
#[derive(Debug, Parser)]
#[command(name = "insight-aggregator", version, about, max_term_width = 100)]
#[command(after_help = "\
Examples:
  insight-aggregator serve                 gRPC at 7701, HTTP at 7700
  insight-aggregator graph                 what talked to what in the last 15 minutes
  insight-aggregator watch                 the graph as it changes

Exit codes: 0 done, 1 failed, 64 wrong arguments or configuration.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Receives agents' reports, keeps them and serves the graph.
    Serve(ServeArgs),
    /// Prints the graph.
    Graph(GraphArgs),
    /// Follows the graph as it changes: a live table on a terminal, lines otherwise.
    Watch(WatchArgs),
    /// Prints one edge in detail.
    Edge(EdgeArgs),
    /// Prints what differs between two times.
    Diff(DiffArgs),
    /// Prints, applies or checks the tables that a store in Cassandra needs.
    Schema(SchemaArgs),
    /// Prints the rights that `serve --kubernetes` needs, for `kubectl apply -f -`.
    Rbac(RbacArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
A flag wins over the environment, that over the --config file, that over the default.

Examples:
  insight-aggregator serve
  insight-aggregator serve --grpc 0.0.0.0:7701 --store embedded:/var/lib/insight --retention 30d
  insight-aggregator serve --kubernetes ~/.kube/config
  insight-aggregator serve --config /etc/insight/aggregator.toml

The file has the same names:
  grpc = \"0.0.0.0:7701\"
  http = \"0.0.0.0:7700\"
  cluster_insight = \"0.0.0.0:5555\"
  store = \"embedded:/var/lib/insight\"
  retention = \"30d\"
  names_retention = \"30d\"
  agent_interval = \"10s\"
  kubernetes = \"in-cluster\"
  log = \"info\"
  log_format = \"json\"")]
pub(super) struct ServeArgs {
    /// Where agents and gRPC readers connect [default: 127.0.0.1:7701]
    #[arg(long, env = "INSIGHT_GRPC", value_name = "ADDRESS:PORT", value_parser = address)]
    pub(super) grpc: Option<SocketAddr>,
    /// Where HTTP is served [default: 127.0.0.1:7700]
    #[arg(long, env = "INSIGHT_HTTP", value_name = "ADDRESS:PORT", value_parser = address)]
    pub(super) http: Option<SocketAddr>,
    /// Where Cluster Insight's API is served alone; it is also at --http [default: nowhere]
    #[arg(long, env = "INSIGHT_CLUSTER_INSIGHT", value_name = "ADDRESS:PORT", value_parser = address)]
    pub(super) cluster_insight: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) legacy: LegacyArgs,
    /// Where everything is kept: embedded:DIR, cassandra://HOST[:PORT][,HOST…]/KEYSPACE[?dc=NAME&cluster=NAME], or memory: for trying out [default: embedded:/var/lib/insight for root, else
    /// embedded:$XDG_STATE_HOME/insight or embedded:~/.local/state/insight]
    #[arg(long, env = "INSIGHT_STORE", value_name = "URL")]
    pub(super) store: Option<String>,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// How long it is kept, 15m or more, for example 12h or 30d [default: 7d]
    #[arg(long, env = "INSIGHT_RETENTION", value_name = "DURATION")]
    pub(super) retention: Option<String>,
    /// How long it is kept what Kubernetes said, which names past graphs and tells what changed [default: as --retention]
    #[arg(long, env = "INSIGHT_NAMES_RETENTION", value_name = "DURATION")]
    pub(super) names_retention: Option<String>,
    /// How often agents report, 1s to 10m [default: the agents' own]
    #[arg(long, env = "INSIGHT_AGENT_INTERVAL", value_name = "DURATION")]
    pub(super) agent_interval: Option<String>,
    /// The cluster's own addresses (pods, Services, nodes): CIDR ranges, comma separated. Agents count the clients of a server that are outside of
    /// them by prefix [default: unknown, and every client is counted by its address]
    #[arg(
        long,
        env = "INSIGHT_CLUSTER_RANGES",
        value_name = "RANGE,…",
        value_delimiter = ','
    )]
    pub(super) cluster_ranges: Option<Vec<String>>,
    /// Which cluster's pods, Services and nodes give names: off, in-cluster (the service account of this container), or a kubeconfig FILE, of which the
    /// current context counts. auto: in-cluster in a container that has a service account's token, else KUBECONFIG if it is set, else off;
    /// ~/.kube/config is only used where it is written here [default: auto]
    #[arg(
        long,
        env = "INSIGHT_KUBERNETES",
        value_name = "auto|off|in-cluster|FILE"
    )]
    pub(super) kubernetes: Option<Asked>,
    /// Watch the names of Secrets, too. Kubernetes has no right for names alone: whoever may list Secrets may read them all [default: false]
    #[arg(
        long,
        env = "INSIGHT_KUBERNETES_SECRETS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub(super) kubernetes_secrets: Option<bool>,
    /// TOML file with these settings
    #[arg(long, env = "INSIGHT_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, also by module [default: info]
    #[arg(long, env = "INSIGHT_LOG", value_name = "FILTER")]
    pub(super) log: Option<String>,
    /// How it is logged [default: text]
    #[arg(long, env = "INSIGHT_LOG_FORMAT", value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

/// The flags of Cluster Insight's own collector.
#[derive(Debug, Args)]
#[command(next_help_heading = "As of Cluster Insight's collector")]
pub(super) struct LegacyArgs {
    /// The same as --cluster-insight ADDRESS:5555
    #[arg(long, value_name = "ADDRESS", conflicts_with = "cluster_insight")]
    pub(super) host: Option<IpAddr>,
    /// The same as --cluster-insight 127.0.0.1:PORT
    #[arg(long, short, value_name = "PORT", conflicts_with = "cluster_insight")]
    pub(super) port: Option<u16>,
    /// The same as --log debug
    #[arg(long, short, conflicts_with = "log")]
    pub(super) debug: bool,
}

impl LegacyArgs {
    /// What --cluster-insight says in their place.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        if self.host.is_none() && self.port.is_none() {
            return None;
        }
        let host = self.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Some(SocketAddr::new(host, self.port.unwrap_or(5555)))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it must be an IP address and a port, for example 127.0.0.1:7701, 0.0.0.0:7701 or [::]:7701"
            .to_owned()
    })
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which aggregator a reader asks.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The aggregator's gRPC address
    #[arg(
        long,
        env = "INSIGHT_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7701"
    )]
    pub(super) server: String,
}

/// Which time a reader asks for.
#[derive(Debug, Default, Args)]
pub(super) struct TimeArgs {
    /// The graph at this moment: a range of --window that ends there, for example -2h, 'yesterday 14:00' or 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) at: Option<String>,
    /// Start of the time [default: --window before its end]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "window"]
    )]
    pub(super) from: Option<String>,
    /// End of the time [default: now]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "at"
    )]
    pub(super) to: Option<String>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
}

/// How times are read.
#[derive(Debug, Default, Args)]
pub(super) struct MeasureArgs {
    /// How long the time is that ends at a moment, for example 5m or 1h30m [default: 15m]
    #[arg(long, value_name = "LENGTH")]
    pub(super) window: Option<String>,
    /// The time zone of times that have none, for example Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(super) tz: Option<String>,
}

/// Which part of the graph a reader asks for.
#[derive(Debug, Default, Args)]
pub(super) struct PartArgs {
    #[arg(long, value_name = "LEVEL", help = levels("[default: workload]"))]
    pub(super) level: Option<String>,
    /// Id or name of a node: only what is near it
    #[arg(long, value_name = "NODE")]
    pub(super) focus: Option<String>,
    /// How near: edges from --focus [default: 1]
    #[arg(long, value_name = "N", requires = "focus")]
    pub(super) hops: Option<String>,
    /// Which way from --focus: inbound (who calls it), outbound (whom it calls) or both [default: both]
    #[arg(long, value_name = "WAY", requires = "focus")]
    pub(super) direction: Option<String>,
    /// What is left out: loopback (connections within a network namespace, for example health checks of localhost), own (Insight's own)
    #[arg(long, value_name = "loopback,own")]
    pub(super) without: Option<String>,
    /// Only edges with an end in one of these Kubernetes namespaces
    #[arg(long, value_name = "NAME,…", visible_alias = "namespace")]
    pub(super) namespaces: Option<String>,
    /// Only edges with an end that has these Kubernetes labels, as kubectl takes them; the same end as for --namespaces
    #[arg(long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,
    /// Only edges with an end of one of these kinds, for example pod, deployment, unit, external
    #[arg(long, value_name = "KIND,…", visible_alias = "kind")]
    pub(super) kinds: Option<String>,
    /// Only edges to these ports of servers: numbers and ranges
    #[arg(long, value_name = "443,8000-8999,…", visible_alias = "port")]
    pub(super) ports: Option<String>,
    /// Only edges of these protocols
    #[arg(long, value_name = "tcp,udp", visible_alias = "protocol")]
    pub(super) protocols: Option<String>,
    /// Only edges with so many payload bytes, both ways together
    #[arg(long, value_name = "N")]
    pub(super) min_bytes: Option<String>,
    /// Only edges with so many established connections
    #[arg(long, value_name = "N")]
    pub(super) min_connections: Option<String>,
    /// Only the N largest edges one by one; the others are summed up to one
    #[arg(long, value_name = "N")]
    pub(super) top: Option<String>,
    /// What is large: bytes, connections or failures [default: bytes]
    #[arg(long, value_name = "WHAT", requires = "top")]
    pub(super) top_by: Option<String>,
    /// Also nodes without any connection
    #[arg(long, conflicts_with = "focus")]
    pub(super) unconnected: bool,
}

/// "container, workload or node", and what follows.
fn levels(more: &str) -> String {
    let names = Level::ALL.map(Level::as_str);
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last} {more}", others.join(", "))
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  insight-aggregator graph
  insight-aggregator graph --at -2h --level node
  insight-aggregator graph --at 'yesterday 14:00' --tz Europe/Berlin --window 5m
  insight-aggregator graph --without loopback,own --top 20
  insight-aggregator graph --namespaces shop --selector 'app in (web,api)' --unconnected
  insight-aggregator graph --kinds external --ports 443,8000-8999 --min-bytes 1000000
  insight-aggregator graph --focus nginx.service --hops 2 --direction inbound --format dot | dot -Tsvg > graph.svg")]
pub(super) struct GraphArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) time: TimeArgs,
    #[command(flatten)]
    pub(super) part: PartArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: GraphFormat,
}

/// How a graph is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// For people.
    #[default]
    Table,
    /// As HTTP answers it.
    Json,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

#[derive(Debug, Args)]
#[command(after_help = "\
In lines, `+` is a new edge, `~` one with new counts, `-` one that had no traffic for 15 minutes.

Examples:
  insight-aggregator watch
  insight-aggregator watch --namespaces shop --top 20
  insight-aggregator watch --focus nginx.service | grep '^+'")]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) part: PartArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  insight-aggregator edge 3f9c0a1b2d4e5f60
  insight-aggregator edge 3f9c0a1b2d4e5f60 --at -1d --format json
  insight-aggregator edge 3f9c0a1b2d4e5f60 --history --from yesterday --step 5m")]
pub(super) struct EdgeArgs {
    /// The edge's id, as in the graph
    pub(super) id: String,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) time: TimeArgs,
    #[arg(long, value_name = "LEVEL", help = levels("[default: the one that has such an edge]"))]
    pub(super) level: Option<String>,
    /// How it was over time, the last 24 hours unless another time is named
    #[arg(long)]
    pub(super) history: bool,
    /// How long each step of --history is [default: 1m, 5m or 1h, by the length of the time]
    #[arg(long, value_name = "LENGTH", requires = "history")]
    pub(super) step: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: EdgeFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without these rights of a kind the aggregator goes on without it, and says so.

Examples:
  insight-aggregator rbac | kubectl apply -f -
  insight-aggregator rbac --namespace monitoring --owner rollouts.argoproj.io")]
pub(super) struct RbacArgs {
    /// Name of the service account, of the ClusterRole and of its binding
    #[arg(long, value_name = "NAME", default_value = "insight-aggregator")]
    pub(super) name: String,
    /// Namespace of the service account
    #[arg(long, value_name = "NAMESPACE", default_value = "insight")]
    pub(super) namespace: String,
    /// Also what `serve --kubernetes-secrets` needs: to read every Secret
    #[arg(long)]
    pub(super) secrets: bool,
    /// Also a controller's own resource, as RESOURCE.GROUP; its objects are shown with labels and owners then, not only by name
    #[arg(long, value_name = "RESOURCE.GROUP", value_parser = resource)]
    pub(super) owner: Vec<(String, String)>,
}

fn resource(text: &str) -> Result<(String, String), String> {
    let is_word = |word: &str| {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        !word.is_empty() && word.chars().all(is_part)
    };
    match text.split_once('.') {
        Some((resource, group)) if is_word(resource) && is_word(group) => {
            Ok((resource.into(), group.into()))
        }
        _ => Err("it must be a resource and its group, for example rollouts.argoproj.io".into()),
    }
}

/// How an edge is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum EdgeFormat {
    /// For people.
    #[default]
    Table,
    /// As HTTP answers it.
    Json,
}

/// The question that flags make.
pub(super) fn question(time: Option<TimeArgs>, part: PartArgs) -> QueryText {
    let time = time.unwrap_or_default();
    QueryText::default()
        .with("at", time.at)
        .with("from", time.from)
        .with("to", time.to)
        .with("window", time.measure.window)
        .with("tz", time.measure.tz)
        .with("level", part.level)
        .with("focus", part.focus)
        .with("hops", part.hops)
        .with("direction", part.direction)
        .with("without", part.without)
        .with("namespaces", part.namespaces)
        .with("selector", part.selector)
        .with("kinds", part.kinds)
        .with("ports", part.ports)
        .with("protocols", part.protocols)
        .with("min_bytes", part.min_bytes)
        .with("min_connections", part.min_connections)
        .with("top", part.top)
        .with("top_by", part.top_by)
        .with("unconnected", part.unconnected.then(|| "true".to_owned()))
}
