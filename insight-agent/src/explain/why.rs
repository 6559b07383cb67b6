//! The answer for people: what, and because of which segment.

use super::lookup::Answer;
use crate::cgroups::Level;
use crate::cgroups::parse::{Pair, trace};
use crate::cgroups::token::Qos;

/// Several lines, the last one ended.
pub(super) fn text(answer: &Answer) -> String {
    let identity = &answer.identity;
    let mut lines = vec![answer.path.clone()];
    let mut row = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            lines.push(format!("  {name:<13}{value}"));
        }
    };
    row("level", Some(identity.level.as_str()));
    row("pod uid", identity.pod_uid.as_deref());
    row("container id", identity.container_id.as_deref());
    row("runtime", identity.runtime.map(|r| r.as_str()));
    row("qos", identity.qos.map(|q| q.as_str()));
    row("unit", identity.unit.as_deref());
    lines.push("  why:".to_owned());
    let reasons = answer.found.iter().cloned().chain(reasons(answer));
    lines.extend(reasons.map(|reason| format!("  - {reason}")));
    lines.join("\n") + "\n"
}

fn reasons(answer: &Answer) -> Vec<String> {
    let identity = &answer.identity;
    let trace = trace(&answer.path);
    let segment = |at: Option<usize>| at.map_or("", |at| trace.segments[at].as_str());
    let mut reasons = Vec::new();
    if trace.pod.is_some() {
        reasons.push(format!("`{}` is the innermost pod", segment(trace.pod)));
        reasons.push(match identity.qos {
            Some(Qos::Guaranteed) => {
                "it lies below kubepods and no QoS directory, as guaranteed pods do".to_owned()
            }
            Some(Qos::Unknown) | None => "nothing above it names a QoS class".to_owned(),
            Some(qos) => format!("the path names the QoS class {}", qos.as_str()),
        });
    }
    reasons.extend(match identity.level {
        Level::Root => {
            Some("it is the root of the hierarchy: processes that nobody put elsewhere".to_owned())
        }
        Level::Container if trace.pod.is_some() => Some(format!(
            "`{}` is the first container below the pod",
            segment(trace.container)
        )),
        Level::Container => Some(format!(
            "`{}` is the innermost container, and there is no pod",
            segment(trace.container)
        )),
        Level::Pod => Some("no segment below the pod is a container".to_owned()),
        Level::Kubepods => Some("it groups pods and is none itself".to_owned()),
        Level::Conmon => Some(format!(
            "`{}` is a container's monitor and not the container",
            segment(trace.conmon)
        )),
        Level::System if trace.unit.is_some() => Some(format!(
            "no pod and no container; `{}` is the innermost systemd unit",
            segment(trace.unit)
        )),
        Level::System => Some(
            "no pod, no container and no systemd unit: a plain cgroup, named by its path"
                .to_owned(),
        ),
    });
    if !identity.exact {
        reasons.push("it lies inside of what it is named after".to_owned());
    }
    reasons.extend(identity.outer.iter().map(nested));
    reasons
}

fn nested(outer: &Pair) -> String {
    match (&outer.pod_uid, &outer.container_id) {
        (Some(pod), Some(container)) => format!("nested in container {container} of pod {pod}"),
        (Some(pod), None) => format!("nested in pod {pod}"),
        (None, Some(container)) => format!("nested in container {container}"),
        (None, None) => "nested".to_owned(),
    }
}
