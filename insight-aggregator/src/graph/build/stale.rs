//! Names that may be old, because Kubernetes was not heard.

use insight_proto::v1;

use crate::graph::query::time::to_proto;
use crate::kubernetes::object::ApiKind;
use crate::kubernetes::{Hearing, Index, Unrecorded};
use crate::model::Window;

/// What of the window's names cannot be relied on. Everything is counted all the same; names are looked up again when the graph is made again.
pub(super) fn gaps(window: &Window, index: &Index) -> Vec<v1::Gap> {
    let Hearing { stale, refused } = Hearing::of(index);
    let gap = |from, reason: &str, detail| v1::Gap {
        node: String::new(),
        from: Some(to_proto(from)),
        to: Some(to_proto(window.to)),
        reason: reason.to_owned(),
        detail,
    };
    let mut gaps = Vec::new();
    if let Some(stale) = stale {
        let from = stale.since.unwrap_or(window.from).max(window.from);
        let kinds = names(stale.kinds.iter());
        let why = match &*stale.why {
            "" => "its first list is being read".to_owned(),
            why => why.to_owned(),
        };
        let detail =
            format!("Kubernetes is not heard ({why}): names may be old or missing, of {kinds}");
        if from < window.to {
            gaps.push(gap(from, "kubernetes_stale", detail));
        }
    }
    let touches = |time: &&Unrecorded| time.from < window.to && window.from < time.to;
    for time in index.unrecorded().iter().filter(touches) {
        let detail = "what Kubernetes said then was not recorded, because the aggregator was away or could not keep it: \
                      names may be old or missing";
        let from = time.from.max(window.from);
        gaps.push(v1::Gap {
            to: Some(to_proto(time.to.min(window.to))),
            ..gap(from, "kubernetes_stale", detail.to_owned())
        });
    }
    if let Some((_, why)) = refused.first() {
        let kinds = names(refused.iter().map(|(kind, _)| kind));
        let detail = format!(
            "Kubernetes does not let this account list {kinds} ({why}); see `insight-aggregator rbac`"
        );
        gaps.push(gap(window.from, "kubernetes_refused", detail));
    }
    gaps
}

fn names<'k>(kinds: impl Iterator<Item = &'k ApiKind>) -> String {
    let names: Vec<&str> = kinds.map(ApiKind::name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::{END, START, World};
    use crate::kubernetes::Watch;
    use crate::model::{Level, UnixMs};

    fn told(watches: &[(ApiKind, Watch)]) -> Vec<(String, Option<UnixMs>, String)> {
        let mut index = Index::default();
        for (kind, watch) in watches {
            index.set_watch(kind, watch.clone());
        }
        let graph = World::new().knowing(index).graph(Level::Workload);
        let seconds = |at: prost_types::Timestamp| at.seconds * 1000;
        let gaps = graph.gaps.into_iter();
        gaps.filter(|gap| gap.reason.starts_with("kubernetes"))
            .map(|gap| (gap.reason, gap.from.map(seconds), gap.detail))
            .collect()
    }

    #[test]
    fn times_that_nobody_recorded_are_said() {
        let mut index = Index::default();
        let minute = 60_000;
        for (from, to) in [
            (START - minute, START + minute),
            (END - minute, END + minute),
            (START - minute, START),
            (END, END + minute),
        ] {
            index.note_unrecorded(Unrecorded { from, to });
        }
        let graph = World::new().knowing(index).graph(Level::Workload);
        assert!(!graph.complete);
        let mut gaps = graph.gaps;
        gaps.retain(|gap| gap.reason == "kubernetes_stale");
        let ms = |at: Option<prost_types::Timestamp>| at.unwrap().seconds * 1000;
        let times: Vec<_> = gaps.iter().map(|gap| (ms(gap.from), ms(gap.to))).collect();
        assert_eq!(times, [(START, START + minute), (END - minute, END)]);
        assert!(gaps[0].detail.contains("not recorded"), "{gaps:?}");
    }

    #[test]
    fn an_index_that_hears_nothing_says_since_when() {
        let behind = |since| Watch::Behind {
            since,
            why: "connection refused".into(),
        };
        assert!(told(&[(ApiKind::Pod, Watch::Current)]).is_empty());
        let since = START + 60_000;
        let gaps = told(&[
            (ApiKind::Pod, behind(Some(since))),
            (ApiKind::Service, behind(Some(since + 5000))),
        ]);
        let [(reason, from, detail)] = gaps.as_slice() else {
            panic!("{gaps:?}")
        };
        assert_eq!((reason.as_str(), *from), ("kubernetes_stale", Some(since)));
        assert!(
            detail.contains("connection refused") && detail.contains("Pod, Service"),
            "{detail}"
        );
        assert_eq!(told(&[(ApiKind::Pod, behind(None))])[0].1, Some(START));
        assert!(
            told(&[(ApiKind::Pod, behind(Some(END)))]).is_empty(),
            "later"
        );
        let starting = told(&[(ApiKind::Pod, Watch::Starting)]);
        assert!(starting[0].2.contains("first list"), "{starting:?}");
        let why = "403".to_owned();
        let refused = told(&[(ApiKind::Job, Watch::Forbidden { why })]);
        assert_eq!(refused[0].0, "kubernetes_refused");
        assert!(refused[0].2.contains("Job (403)"), "{refused:?}");
    }
}
