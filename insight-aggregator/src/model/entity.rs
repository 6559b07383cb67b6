//! Who the ends of flows are.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Names an [`Entity`]; see `Node.id` in `topology.proto` for its forms.
pub type EntityId = Arc<str>;

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A container, in a pod or not.
    Container,
    /// A Kubernetes pod.
    Pod,
    /// A systemd unit.
    Unit,
    /// A cgroup that is none of these.
    Cgroup,
    /// A Linux node.
    Node,
    /// An address that no agent watches.
    External,
    /// An address that several entities claim in the same time.
    Ambiguous,
    /// Both ends of the flows together that found no room in the flow map of a node's agent.
    Overflow,
}

impl Kind {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Unit => "unit",
            Self::Cgroup => "cgroup",
            Self::Node => "node",
            Self::External => "external",
            Self::Ambiguous => "ambiguous",
            Self::Overflow => "overflow",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Container,
            Self::Pod,
            Self::Unit,
            Self::Cgroup,
            Self::Node,
            Self::External,
            Self::Ambiguous,
            Self::Overflow,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

/// How finely the graph tells ends apart, finest first. What is not part of anything at a level is itself there: a unit at every level below its node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Every container, unit and cgroup by itself.
    Container,
    /// A pod's containers together.
    Pod,
    /// The pods together that one Deployment, StatefulSet, CronJob or other object stands for.
    #[default]
    Workload,
    /// The pods together that stand behind a Service.
    Service,
    /// Everything of a Kubernetes namespace together; what is in none stays with its node.
    Namespace,
    /// Everything on a node together.
    Node,
    /// Everything in a zone together.
    Zone,
}

impl Level {
    /// All levels, finest first.
    pub const ALL: [Self; 7] = [
        Self::Container,
        Self::Pod,
        Self::Workload,
        Self::Service,
        Self::Namespace,
        Self::Node,
        Self::Zone,
    ];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Workload => "workload",
            Self::Service => "service",
            Self::Namespace => "namespace",
            Self::Node => "node",
            Self::Zone => "zone",
        }
    }
}

/// One end of flows at container level, as its agent tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its id at container level.
    pub id: EntityId,
    /// Its kind at container level.
    pub kind: Kind,
    /// For people.
    pub name: String,
    /// Id at pod level: the pod's, or `id` again.
    pub pod: EntityId,
    /// Kind at pod level.
    pub pod_kind: Kind,
    /// For people, at pod level.
    pub pod_name: String,
    /// Kubernetes namespace; empty when unknown.
    pub namespace: String,
    /// Name of the node whose agent saw it.
    pub node: String,
    /// See `Node.labels` in `topology.proto`.
    pub labels: BTreeMap<String, String>,
}
