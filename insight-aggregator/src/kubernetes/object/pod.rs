//! Pods and their containers.

use std::net::IpAddr;

use super::Text;
use crate::model::{Protocol, UnixMs};

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The node it is bound to; empty: none yet.
    pub node: Text,
    /// `status.phase`.
    pub phase: Phase,
    /// Its condition `Ready`.
    pub ready: bool,
    /// Its own addresses, or its node's with `host_network`.
    pub addresses: Box<[IpAddr]>,
    /// It uses its node's network namespace.
    pub host_network: bool,
    /// The UID that its node's cgroup tree calls it by, where that is another: a static pod's configuration hash
    /// (annotation `kubernetes.io/config.hash` or `config.mirror`).
    pub node_uid: Option<Text>,
    /// `status.startTime`: its node began with it, and its address was not given to it before. Whole seconds, rounded down.
    pub started: Option<UnixMs>,
    /// All of its containers have ended for good by here, and none will start: the end of the second in which the last one did.
    pub ended: Option<UnixMs>,
    /// All of its containers, in the specification's order: init and sidecar containers, containers, ephemeral ones.
    pub containers: Box<[Container]>,
    /// Names of the PersistentVolumeClaims that it mounts.
    pub claims: Box<[Text]>,
}

/// `status.phase` of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not all containers have started.
    Pending,
    /// All containers have started, and one still runs.
    Running,
    /// All containers ended well, and none will start again.
    Succeeded,
    /// All containers ended, one of them not well.
    Failed,
    /// Its node cannot be asked.
    #[default]
    Unknown,
}

impl Phase {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: Text,
    /// What it is for.
    pub role: ContainerRole,
    /// `image` of the specification.
    pub image: Text,
    /// `imageID` of the status; empty before it has started.
    pub image_id: Text,
    /// `containerID` of the status with its runtime, `containerd://3f…`; empty before it has started.
    pub id: Box<str>,
    /// The same of the one that ran before it was restarted, if the API still tells.
    pub last_id: Box<str>,
    /// Times it was restarted.
    pub restarts: u32,
    /// Its condition `ready`.
    pub ready: bool,
    /// `waiting`, `running` or `terminated`, with the reason that the API gives, for example `waiting: CrashLoopBackOff`; empty: unknown.
    pub state: Text,
    /// The ports it says it listens on.
    pub ports: Box<[ContainerPort]>,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerRole {
    /// Of `spec.containers`.
    Main,
    /// Of `spec.initContainers`, ends before the others start.
    Init,
    /// Of `spec.initContainers` with `restartPolicy: Always`, runs beside the others.
    Sidecar,
    /// Of `spec.ephemeralContainers`, for debugging.
    Ephemeral,
}

/// A port that a container says it listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    /// Its name, or empty.
    pub name: Text,
    /// The port.
    pub port: u16,
    /// The node's port that leads to it; 0: none.
    pub host_port: u16,
    /// Its protocol.
    pub protocol: Protocol,
}
