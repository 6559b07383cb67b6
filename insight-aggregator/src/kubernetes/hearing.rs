//! Whether what the index says may be old.

use super::object::ApiKind;
use super::{Index, Watch};
use crate::model::UnixMs;

/// The kinds that names of ends come from. Of the others a graph needs nothing.
const NAMING: [ApiKind; 12] = [
    ApiKind::Pod,
    ApiKind::Node,
    ApiKind::Namespace,
    ApiKind::Service,
    ApiKind::EndpointSlice,
    ApiKind::ReplicaSet,
    ApiKind::Deployment,
    ApiKind::StatefulSet,
    ApiKind::DaemonSet,
    ApiKind::Job,
    ApiKind::CronJob,
    ApiKind::ReplicationController,
];

/// How far what the index says of names can be relied on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    /// What was not heard for some time, and is tried again; none: nothing.
    pub stale: Option<Stale>,
    /// Kinds that names come from and that this account may not list, with what the API server said.
    pub refused: Vec<(ApiKind, String)>,
}

/// Kinds that were not heard for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// All that happened until then is known; none: the first list of some kind has not been read to its end.
    pub since: Option<UnixMs>,
    /// What stands in the way; empty: nothing, it is only starting.
    pub why: String,
    /// Which kinds.
    pub kinds: Vec<ApiKind>,
}

impl Hearing {
    /// How the watches stand. Where nothing is watched, nothing is stale.
    pub fn of(index: &Index) -> Self {
        let mut hearing = Self::default();
        for (kind, watch) in index.watches() {
            if !NAMING.contains(kind) {
                continue;
            }
            match watch {
                Watch::Starting => hearing.stale(kind, None, ""),
                Watch::Behind { since, why } => hearing.stale(kind, *since, why),
                Watch::Forbidden { why } => hearing.refused.push((kind.clone(), why.clone())),
                Watch::Current | Watch::Absent => {}
            }
        }
        hearing
    }

    fn stale(&mut self, kind: &ApiKind, since: Option<UnixMs>, why: &str) {
        let stale = self.stale.get_or_insert(Stale {
            since,
            why: String::new(),
            kinds: Vec::new(),
        });
        // None is the least: never.
        stale.since = stale.since.min(since);
        if stale.why.is_empty() {
            stale.why = why.into();
        }
        stale.kinds.push(kind.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(since: Option<UnixMs>, why: &str) -> Watch {
        let why = why.into();
        Watch::Behind { since, why }
    }

    #[test]
    fn nothing_watched_is_not_stale() {
        assert_eq!(Hearing::of(&Index::default()), Hearing::default());
    }

    #[test]
    fn the_oldest_kind_counts() {
        let mut index = Index::default();
        index.set_watch(&ApiKind::Pod, behind(Some(7), "refused connection"));
        index.set_watch(&ApiKind::Node, behind(Some(5), "refused connection"));
        index.set_watch(&ApiKind::Job, Watch::Current);
        let stale = Hearing::of(&index).stale.unwrap();
        assert_eq!(stale.since, Some(5));
        assert_eq!(stale.why, "refused connection");
        assert_eq!(stale.kinds, [ApiKind::Pod, ApiKind::Node]);
        index.set_watch(&ApiKind::Job, Watch::Starting);
        let stale = Hearing::of(&index).stale.unwrap();
        assert_eq!(stale.since, None, "jobs were never heard");
        assert_eq!(stale.why, "refused connection");
    }

    #[test]
    fn what_names_nothing_does_not_matter() {
        let mut index = Index::default();
        index.set_watch(&ApiKind::ConfigMap, behind(None, "x"));
        index.set_watch(&ApiKind::of("Rollout", "argoproj.io"), behind(None, "x"));
        let why = String::from("configmaps is forbidden");
        index.set_watch(&ApiKind::Ingress, Watch::Forbidden { why });
        assert_eq!(Hearing::of(&index), Hearing::default());
    }

    #[test]
    fn what_is_refused_is_said_apart() {
        let mut index = Index::default();
        let why = String::from("pods is forbidden");
        index.set_watch(&ApiKind::Pod, Watch::Forbidden { why: why.clone() });
        let hearing = Hearing::of(&index);
        assert_eq!(hearing.refused, [(ApiKind::Pod, why)]);
        assert_eq!(hearing.stale, None);
    }
}
