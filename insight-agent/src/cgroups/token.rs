//! What one segment of a cgroup path says: a pod, a container, a monitor, a QoS class, a systemd unit.

use serde::Serialize;

/// Who made a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// containerd, by its CRI plugin or its `k8s.io` namespace.
    Containerd,
    /// CRI-O.
    #[serde(rename = "cri-o")]
    CriO,
    /// Docker.
    Docker,
    /// Podman and others on libpod.
    Podman,
    /// nerdctl.
    Nerdctl,
    /// A container whose path does not say.
    Unknown,
}

impl Runtime {
    /// The word used on the wire and in `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
            Self::Unknown => "unknown",
        }
    }

    fn of_prefix(prefix: &str) -> Option<Self> {
        Some(match prefix {
            "cri-containerd" => Self::Containerd,
            "crio" => Self::CriO,
            "docker" => Self::Docker,
            "libpod" => Self::Podman,
            "nerdctl" => Self::Nerdctl,
            _ => return None,
        })
    }

    /// The runtime that puts containers into a directory of this name, `/docker/<id>`.
    pub(crate) fn of_parent(parent: &str) -> Self {
        match parent {
            // GitHub's runner gives its job containers this parent.
            "docker" | "actions_job" => Self::Docker,
            "k8s.io" => Self::Containerd,
            _ => Self::Unknown,
        }
    }
}

/// A pod's Kubernetes quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Qos {
    /// Limits equal requests for everything; the class without a directory of its own.
    Guaranteed,
    /// Something is requested.
    Burstable,
    /// Nothing is requested.
    Besteffort,
    /// The path does not say.
    Unknown,
}

impl Qos {
    /// The word used on the wire and in `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "guaranteed",
            Self::Burstable => "burstable",
            Self::Besteffort => "besteffort",
            Self::Unknown => "unknown",
        }
    }
}

/// A container id, 64 hexadecimal digits, and the runtime if its prefix says so.
pub(crate) fn container(segment: &str) -> Option<(&str, Option<Runtime>)> {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    if is_container_id(name) {
        return Some((name, None));
    }
    let (prefix, id) = name.rsplit_once('-')?;
    let runtime = Runtime::of_prefix(prefix)?;
    is_container_id(id).then_some((id, Some(runtime)))
}

/// Whether the segment is the monitor process of a container (conmon), which is no container itself.
pub(crate) fn is_conmon(segment: &str) -> bool {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    ["crio-conmon-", "libpod-conmon-"]
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(is_container_id))
}

/// A pod's uid as the segment spells it (`_` or `-`, or 32 digits of a static pod's hash) and what comes before "pod".
pub(crate) fn pod(segment: &str) -> Option<(&str, &str)> {
    let name = segment.strip_suffix(".slice").unwrap_or(segment);
    [36, 32].into_iter().find_map(|length| {
        let at = name.len().checked_sub(length)?;
        let (head, uid) = name.split_at_checked(at)?;
        let before = head.strip_suffix("pod")?;
        let starts = before.is_empty() || before.ends_with('-');
        let valid = if length == 36 {
            is_uuid(uid)
        } else {
            uid.bytes().all(is_hex)
        };
        (starts && valid).then_some((uid, before))
    })
}

/// What a segment contributes to the QoS class of the pods below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// `burstable` or `besteffort`.
    Named(Qos),
    /// The Kubernetes root, which is the parent of guaranteed pods.
    Kubepods,
}

/// The class of `kubepods`, `kubelet-kubepods.slice`, `burstable`, `kubepods-burstable.slice`, and of a pod's own segment.
pub(crate) fn class(segment: &str) -> Option<Class> {
    let name = match pod(segment) {
        Some((_, before)) => before.trim_end_matches('-'),
        None => segment.strip_suffix(".slice").unwrap_or(segment),
    };
    let (parent, last) = match name.rsplit_once('-') {
        Some((head, last)) => (head.rsplit('-').next(), last),
        None => (None, name),
    };
    let below_kubepods = matches!(parent, None | Some("kubepods"));
    match last {
        "kubepods" => Some(Class::Kubepods),
        "burstable" if below_kubepods => Some(Class::Named(Qos::Burstable)),
        "besteffort" if below_kubepods => Some(Class::Named(Qos::Besteffort)),
        _ => None,
    }
}

/// Whether the segment is a systemd unit that holds processes. Slices only group units, and mounts are made by the
/// thousand by container runtimes.
pub(crate) fn is_unit(segment: &str) -> bool {
    [".service", ".scope", ".socket", ".swap"]
        .iter()
        .any(|suffix| segment.len() > suffix.len() && segment.ends_with(suffix))
}

/// Whether this is a whole container id.
pub(crate) fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_hex)
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-' || byte == b'_',
        _ => is_hex(byte),
    })
}

/// Lower case only: no runtime writes upper case, and a stricter rule is a safer one.
fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
