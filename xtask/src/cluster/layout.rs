//! Where everything of the cluster is: names, addresses, folders. One machine has one cluster.

use std::path::{Path, PathBuf};

/// A node of the cluster: namespaces of this machine.
pub(crate) struct Node {
    /// Its name in Kubernetes
    pub(crate) name: &'static str,
    /// Its zone
    pub(crate) zone: &'static str,
    /// What its addresses and those of its pods have at their end, and what tells its devices apart
    pub(crate) number: u8,
}

/// All of them.
pub(crate) const NODES: [Node; 2] = [
    Node {
        name: "node-a",
        zone: "zone-a",
        number: 1,
    },
    Node {
        name: "node-b",
        zone: "zone-b",
        number: 2,
    },
];

/// This machine on the cluster's bridge: where the API server is, and what nodes and pods reach of the machine.
pub(crate) const HOST: &str = "10.99.0.1";
/// The same in IPv6.
pub(crate) const HOST_V6: &str = "fd00:10:99::1";
/// The port of the API server.
pub(crate) const API_PORT: u16 = 6443;
/// The addresses of all nodes.
pub(crate) const NODE_RANGES: [&str; 2] = ["10.99.0.0/24", "fd00:10:99::/64"];
/// The addresses of all pods.
pub(crate) const POD_RANGES: [&str; 2] = ["10.90.0.0/16", "fd00:10:90::/48"];
/// The addresses of Services.
pub(crate) const SERVICE_RANGES: [&str; 2] = ["10.96.0.0/16", "fd00:10:96::/112"];
/// Where pods ask for names: the Service in front of CoreDNS.
pub(crate) const DNS: &str = "10.96.0.10";

/// The bridge that the nodes are on.
pub(crate) const BRIDGE: &str = "ins-cluster";
/// The nftables table that keeps the cluster on this machine.
pub(crate) const TABLE: &str = "insight_cluster";
/// The top cgroup: whatever runs for the cluster is below it.
pub(crate) const CGROUP: &str = "insight-cluster";

/// In a node's cgroup: its own processes.
pub(crate) const RUNTIME: &str = "runtime";

/// What runs for the cluster keeps its files here. Only this folder is the cluster's, and it is removed with it.
pub(crate) const STATE: &str = "/var/lib/insight-cluster";
/// Where a node sees its own part of them.
pub(crate) const INSIDE: &str = "/run/insight";

impl Node {
    /// IPv4.
    pub(crate) fn address(&self) -> String {
        format!("10.99.0.{}", 10 + self.number)
    }

    /// IPv6.
    pub(crate) fn address_v6(&self) -> String {
        format!("fd00:10:99::{}", 10 + self.number)
    }

    /// The addresses of its pods.
    pub(crate) fn pods(&self) -> [String; 2] {
        let number = self.number;
        [
            format!("10.90.{number}.0/24"),
            format!("fd00:10:90:{number}::/64"),
        ]
    }

    /// Its network namespace.
    pub(crate) fn netns(&self) -> String {
        format!("insight-{}", self.name)
    }

    /// The end of its cable at the bridge.
    pub(crate) fn cable(&self) -> String {
        format!("ins-{}", self.name)
    }

    /// Its cgroup below the cluster's: its processes and its pods.
    pub(crate) fn cgroup(&self) -> String {
        format!("{CGROUP}/{}", self.name)
    }

    /// The cgroup of its own processes: a cgroup with children must have none in v2.
    pub(crate) fn runtime(&self) -> String {
        format!("{}/{RUNTIME}", self.cgroup())
    }

    /// Its folder: `etc` (configuration), `var` (its /var).
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(STATE).join(self.name)
    }
}

/// The node of this name.
pub(crate) fn node(name: &str) -> Option<&'static Node> {
    NODES.iter().find(|node| node.name == name)
}

/// The configuration of kubectl and of everything that asks the API server.
pub(crate) fn kubeconfig() -> PathBuf {
    Path::new(STATE).join("kubeconfig")
}

/// What the cluster says of itself, for programs: the tests' harness reads it.
pub(crate) fn description() -> PathBuf {
    Path::new(STATE).join("cluster.json")
}

/// The folder of links to the programs.
pub(crate) fn programs() -> PathBuf {
    Path::new(STATE).join("bin")
}

/// Where the output of a component goes.
pub(crate) fn log(component: &str) -> PathBuf {
    Path::new(STATE)
        .join("log")
        .join(format!("{component}.log"))
}
