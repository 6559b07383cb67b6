//! What the index of Kubernetes' objects holds, and how its watches stand. Nothing where no cluster is watched.

use super::text::{Kind, Text};
use crate::ingest::stats::Count;
use crate::kubernetes::object::ApiKind;
use crate::kubernetes::watch::KindStats;
use crate::kubernetes::{Directory, Watch};

/// One number of each kind's watch.
type Get = fn(&KindStats) -> &Count;

/// Writes them.
pub(super) fn write(directory: &Directory, text: &mut Text) {
    let (objects, watches) = {
        let index = directory.read();
        let watches: Vec<(ApiKind, Watch)> = index
            .watches()
            .map(|(kind, watch)| (kind.clone(), watch.clone()))
            .collect();
        let objects: Vec<(ApiKind, usize)> = watches
            .iter()
            .map(|(kind, _)| (kind.clone(), index.of_kind(kind).count()))
            .collect();
        (objects, watches)
    };
    if watches.is_empty() {
        return;
    }
    text.family(
        "insight_kubernetes_objects",
        Kind::Gauge,
        "Objects of Kubernetes that are known.",
    );
    for (kind, count) in objects {
        text.sample([("kind", name(&kind))], count);
    }
    text.family(
        "insight_kubernetes_watch_up",
        Kind::Gauge,
        "1 while all changes of a kind are known; 0 while it is listed, unheard or refused. Kinds that the cluster does not have are left out.",
    );
    for (kind, watch) in &watches {
        if *watch != Watch::Absent {
            let is_up = u8::from(*watch == Watch::Current);
            text.sample([("kind", name(kind))], is_up);
        }
    }
    let stats = directory.stats().all();
    let families: [(_, _, Get); 3] = [
        (
            "insight_kubernetes_applied_total",
            "Objects and deletions taken from lists and watches.",
            |stats| &stats.applied,
        ),
        (
            "insight_kubernetes_lists_total",
            "Complete lists: one, and one more each time that the changes since the last one were no longer kept.",
            |stats| &stats.lists,
        ),
        (
            "insight_kubernetes_failures_total",
            "Lists and watches that failed.",
            |stats| &stats.failures,
        ),
    ];
    for (family, help, get) in families {
        text.family(family, Kind::Counter, help);
        for (kind, stats) in &stats {
            text.sample([("kind", name(kind))], get(stats).get());
        }
    }
    text.single(
        "insight_kubernetes_owners_left_out_total",
        Kind::Counter,
        "Times that an owner was met whose kind is one too many to be watched.",
        directory.stats().owners_left_out.get(),
    );
}

/// As it is told apart from another group's: `Pod`, `Rollout.argoproj.io`.
fn name(kind: &ApiKind) -> &str {
    match kind {
        ApiKind::Other(name) => name,
        kind => kind.name(),
    }
}
