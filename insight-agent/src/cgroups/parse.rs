//! A cgroup path → pod, container, unit or plain cgroup. Pure.
//!
//! The rules, in short: the **innermost** pod wins, and its container is the **first** container below it, so that
//! sub-cgroups, systemd in a container and Docker in a pod stay with the Kubernetes container. Without a pod, the
//! innermost container. What is not recognised keeps its path and is given to nobody.

use serde::Serialize;

use super::token::{self, Class, Qos, Runtime};

/// What a cgroup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The hierarchy's root.
    Root,
    /// A container, or something inside of it.
    Container,
    /// A pod, or something in it that is no container.
    Pod,
    /// Kubernetes' own directories above the pods.
    Kubepods,
    /// A container's monitor process.
    Conmon,
    /// Anything else: a systemd unit, or a plain cgroup.
    System,
}

impl Level {
    /// The word that `explain` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Kubepods => "kubepods",
            Self::Conmon => "conmon",
            Self::System => "system",
        }
    }
}

/// A pod and the container in it; one of the two is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Pod uid in canonical form.
    pub pod_uid: Option<String>,
    /// 64 hexadecimal digits.
    pub container_id: Option<String>,
}

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it is.
    pub level: Level,
    /// Pod uid with `-`; a static pod's 32-digit config hash stays as it is.
    pub pod_uid: Option<String>,
    /// 64 hexadecimal digits.
    pub container_id: Option<String>,
    /// For containers only.
    pub runtime: Option<Runtime>,
    /// For containers and pods only.
    pub qos: Option<Qos>,
    /// systemd unit, for paths with neither container nor pod.
    pub unit: Option<String>,
    /// Whether the path's last segment is what gives it its name; false for a cgroup *inside* a container or unit.
    pub exact: bool,
    /// What it is nested in (a cluster in a pod, kind in Docker), from inside out; a reader that does not know the
    /// innermost pod tries these.
    pub outer: Vec<Pair>,
}

/// The segments of a path, and which of them matter.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) segments: Vec<String>,
    pub(crate) pod: Option<usize>,
    pub(crate) container: Option<usize>,
    pub(crate) conmon: Option<usize>,
    pub(crate) unit: Option<usize>,
}

/// Names a cgroup path such as `/kubepods/burstable/pod…/…`. Never fails: what is unknown is `Level::System`.
pub fn parse(path: &str) -> Identity {
    let trace = trace(path);
    let last = trace.segments.len().checked_sub(1);
    let level = level(&trace);
    let (uid, id, runtime) = names(&trace);
    let naming = match level {
        Level::Container => trace.container,
        Level::Pod => trace.pod,
        Level::Conmon => trace.conmon,
        Level::System => trace.unit.or(last),
        Level::Root | Level::Kubepods => last,
    };
    Identity {
        level,
        qos: match trace.pod {
            Some(at) => Some(qos(&trace.segments, at)),
            None => id.as_ref().map(|_| Qos::Unknown),
        },
        pod_uid: uid,
        container_id: id,
        runtime,
        unit: match level {
            Level::System => trace.unit.map(|at| trace.segments[at].clone()),
            _ => None,
        },
        exact: naming == last,
        outer: outer(&trace),
    }
}

pub(crate) fn trace(path: &str) -> Trace {
    let segments = segments(path);
    let pod = segments.iter().rposition(|s| token::pod(s).is_some());
    let is_container = |s: &String| token::container(s).is_some();
    let container = match pod {
        Some(at) => segments[at..].iter().position(is_container).map(|n| at + n),
        None => segments.iter().rposition(is_container),
    };
    let conmon = match container {
        Some(_) => None,
        None => segments.iter().rposition(|s| token::is_conmon(s)),
    };
    Trace {
        unit: segments.iter().rposition(|s| token::is_unit(s)),
        conmon: conmon.filter(|at| pod.is_none_or(|pod| *at > pod)),
        pod,
        container,
        segments,
    }
}

/// Splits at `/`; `X.slice:cri-containerd:<id>`, which some runtimes write, is two segments.
fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        let mut parts = segment.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(slice), Some("cri-containerd" | "crio" | "docker"), Some(id))
                if slice.ends_with(".slice") && token::is_container_id(id) =>
            {
                segments.push(slice.to_owned());
                segments.push(segment[slice.len() + 1..].replace(':', "-"));
            }
            _ => segments.push(segment.to_owned()),
        }
    }
    segments
}

fn level(trace: &Trace) -> Level {
    if trace.container.is_some() {
        Level::Container
    } else if trace.conmon.is_some() {
        Level::Conmon
    } else if trace.pod.is_some() {
        Level::Pod
    } else if trace.segments.is_empty() {
        Level::Root
    } else if is_kubepods(&trace.segments) {
        Level::Kubepods
    } else {
        Level::System
    }
}

fn is_kubepods(segments: &[String]) -> bool {
    match segments.last().and_then(|s| token::class(s)) {
        Some(Class::Kubepods) => true,
        Some(Class::Named(_)) => segments
            .iter()
            .any(|s| token::class(s) == Some(Class::Kubepods)),
        None => false,
    }
}

fn names(trace: &Trace) -> (Option<String>, Option<String>, Option<Runtime>) {
    let uid = trace
        .pod
        .and_then(|at| token::pod(&trace.segments[at]))
        .map(|(uid, _)| canonical(uid));
    let Some(at) = trace.container else {
        return (uid, None, None);
    };
    let Some((id, prefix)) = token::container(&trace.segments[at]) else {
        return (uid, None, None);
    };
    let runtime = prefix.unwrap_or_else(|| match at.checked_sub(1) {
        Some(parent) if trace.pod.is_none() => Runtime::of_parent(&trace.segments[parent]),
        _ => Runtime::Unknown,
    });
    (uid, Some(id.to_owned()), Some(runtime))
}

fn canonical(uid: &str) -> String {
    uid.replace('_', "-")
}

/// The class of the pod at `at`: the nearest that its own segment or an ancestor names, up to the container that the
/// whole cluster may be nested in.
fn qos(segments: &[String], at: usize) -> Qos {
    let mut kubepods = false;
    for (index, segment) in segments[..=at].iter().enumerate().rev() {
        let outside = token::container(segment).is_some() || token::pod(segment).is_some();
        if index != at && outside {
            break;
        }
        match token::class(segment) {
            Some(Class::Named(qos)) => return qos,
            Some(Class::Kubepods) => kubepods = true,
            None => {}
        }
    }
    if kubepods {
        Qos::Guaranteed
    } else {
        Qos::Unknown
    }
}

/// Pods outside of the innermost one, each with the first container below it; at last the container around them all.
fn outer(trace: &Trace) -> Vec<Pair> {
    let Some(mut end) = trace.pod.or(trace.container) else {
        return Vec::new();
    };
    let container_in = |range: &[String], first: bool| {
        let mut ids = range
            .iter()
            .filter_map(|s| token::container(s))
            .map(|(id, _)| id.to_owned());
        if first { ids.next() } else { ids.next_back() }
    };
    let mut pairs = Vec::new();
    while let Some(at) = trace.segments[..end]
        .iter()
        .rposition(|s| token::pod(s).is_some())
    {
        pairs.push(Pair {
            pod_uid: token::pod(&trace.segments[at]).map(|(uid, _)| canonical(uid)),
            container_id: container_in(&trace.segments[at..end], true),
        });
        end = at;
    }
    if let Some(id) = container_in(&trace.segments[..end], false) {
        pairs.push(Pair {
            pod_uid: None,
            container_id: Some(id),
        });
    }
    pairs
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
