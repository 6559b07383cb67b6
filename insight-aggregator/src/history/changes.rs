//! What changed between two times, as people ask for it: not each new status of each object, but what somebody did, or what happened to it.

use std::collections::HashSet;

use super::form::Entry;
use crate::kubernetes::object::{ApiKind, Body, Object, Pod, Text, Workload};
use crate::kubernetes::{Change, Index};
use crate::model::UnixMs;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When that was known.
    pub at: UnixMs,
    /// What it was.
    pub what: What,
    /// Kind of the object.
    pub kind: ApiKind,
    /// Its namespace; empty for what has none.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Its UID.
    pub uid: Text,
}

/// What changed of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Created,
    /// It is gone.
    Deleted,
    /// Its containers have other images, or those of its pods shall have.
    Images {
        /// Before, in order.
        from: Box<[Text]>,
        /// After.
        to: Box<[Text]>,
    },
    /// It shall have another number of pods.
    Replicas {
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// Its specification changed in something else.
    Spec {
        /// `metadata.generation` before.
        from: i64,
        /// After.
        to: i64,
    },
    /// A pod was given a node.
    Bound {
        /// The node.
        node: Text,
    },
    /// A node is ready again, or not any more.
    Ready(bool),
}

/// What `entries`, in order, changed of what `index` says; `since` is its time. The index is as it is after them then.
pub(super) fn changes(index: &mut Index, entries: Vec<Entry>, since: UnixMs) -> Vec<Happened> {
    let mut happened = Vec::new();
    // Two aggregators may tell of one.
    let mut deleted = HashSet::new();
    for entry in entries {
        let at = entry.at;
        let mut told = |kind: &ApiKind, place: [&Text; 3], what| {
            let [namespace, name, uid] = place.map(Text::clone);
            happened.push(Happened {
                at,
                what,
                kind: kind.clone(),
                namespace,
                name,
                uid,
            });
        };
        match &entry.change {
            Change::Put(stored) => {
                let meta = &stored.object.meta;
                let place = [&meta.namespace, &meta.name, &meta.uid];
                let known = index.get(&meta.kind, &meta.namespace, &meta.name);
                let known = known.map(|known| &known.object);
                match known.filter(|known| known.meta.uid == meta.uid) {
                    Some(before) => {
                        for what in differences(before, &stored.object) {
                            told(&meta.kind, place, what);
                        }
                    }
                    // One that is older was there, and only this was not known.
                    None if meta.created >= since - 1_000 => {
                        told(&meta.kind, place, What::Created);
                    }
                    None => {}
                }
            }
            Change::Gone {
                kind,
                namespace,
                name,
                uid,
                ..
            } => {
                if deleted.insert(Text::clone(uid)) {
                    told(kind, [namespace, name, uid], What::Deleted);
                }
            }
            Change::Watch(..) | Change::Occurred(_) => {}
        }
        index.apply(entry.change);
    }
    happened
}

/// What somebody would call a change of an object.
fn differences(before: &Object, after: &Object) -> Vec<What> {
    let mut all = Vec::new();
    match (&before.body, &after.body) {
        (Body::Workload(before), Body::Workload(after)) => of_workload(before, after, &mut all),
        (Body::Pod(before), Body::Pod(after)) => {
            if before.node.is_empty() && !after.node.is_empty() {
                let node = Text::clone(&after.node);
                all.push(What::Bound { node });
            }
            let images = |pod: &Pod| -> Box<[Text]> {
                let containers = pod.containers.iter();
                containers.map(|of| Text::clone(&of.image)).collect()
            };
            let (from, to) = (images(before), images(after));
            // A container for debugging that is added is no other image.
            if from.iter().zip(&to).any(|(from, to)| from != to) {
                all.push(What::Images { from, to });
            }
        }
        (Body::Node(before), Body::Node(after)) if before.ready != after.ready => {
            all.push(What::Ready(after.ready));
        }
        _ => {}
    }
    all
}

fn of_workload(before: &Workload, after: &Workload, all: &mut Vec<What>) {
    let known = all.len();
    if before.images != after.images {
        all.push(What::Images {
            from: before.images.clone(),
            to: after.images.clone(),
        });
    }
    if before.replicas != after.replicas {
        all.push(What::Replicas {
            from: before.replicas,
            to: after.replicas,
        });
    }
    if before.generation != after.generation && all.len() == known {
        all.push(What::Spec {
            from: before.generation,
            to: after.generation,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::testing::{node, pod, with_pod, workload};

    const SINCE: UnixMs = 1_000_000;

    fn put(object: Object, at: UnixMs) -> Entry {
        entry(Change::put(object, 1, at), at)
    }

    fn entry(change: Change, at: UnixMs) -> Entry {
        Entry {
            at,
            order: 0,
            writer: 0,
            change,
        }
    }

    fn gone(object: &Object, at: UnixMs) -> Entry {
        let meta = &object.meta;
        let change = Change::Gone {
            kind: meta.kind.clone(),
            namespace: Text::clone(&meta.namespace),
            name: Text::clone(&meta.name),
            uid: Text::clone(&meta.uid),
            at,
        };
        entry(change, at)
    }

    fn web(change: impl FnOnce(&mut Workload)) -> Object {
        let mut object = workload(ApiKind::Deployment, "web");
        if let Body::Workload(of) = &mut object.body {
            of.images = Box::new(["shop:1".into()]);
            change(of);
        }
        object
    }

    fn told(before: Vec<Object>, entries: Vec<Entry>) -> Vec<(UnixMs, String, What)> {
        let mut index = Index::of_the_past();
        before.into_iter().for_each(|object| index.put(object, 0));
        let all = changes(&mut index, entries, SINCE).into_iter();
        all.map(|of| (of.at, format!("{} {}", of.kind.name(), of.name), of.what))
            .collect()
    }

    #[test]
    fn what_somebody_did_is_told_and_what_follows_is_not() {
        let set = |images: &str, replicas, generation, ready| {
            let images: Box<[Text]> = Box::new([images.into()]);
            web(|of| {
                (of.images, of.replicas) = (images, replicas);
                (of.generation, of.ready) = (generation, ready);
            })
        };
        let all = told(
            vec![set("shop:1", 1, 1, 1)],
            vec![
                put(set("shop:1", 1, 1, 0), SINCE + 1),
                put(set("shop:2", 1, 2, 0), SINCE + 2),
                put(set("shop:2", 5, 3, 1), SINCE + 3),
                put(set("shop:2", 5, 4, 5), SINCE + 4),
                put(set("shop:3", 2, 5, 5), SINCE + 5),
            ],
        );
        let images = |from: &str, to: &str| What::Images {
            from: Box::new([from.into()]),
            to: Box::new([to.into()]),
        };
        let expected = [
            (2, images("shop:1", "shop:2")),
            (3, What::Replicas { from: 1, to: 5 }),
            (4, What::Spec { from: 3, to: 4 }),
            (5, images("shop:2", "shop:3")),
            (5, What::Replicas { from: 5, to: 2 }),
        ];
        let expected = expected.map(|(at, what)| (SINCE + at, "Deployment web".to_owned(), what));
        assert_eq!(all, expected);
    }

    #[test]
    fn pods_come_are_bound_and_go() {
        let waiting = |uid: &str| {
            let mut made = pod("a", "", &[]);
            made.meta.uid = uid.into();
            made.meta.created = SINCE + 5;
            made
        };
        let bound = |uid| with_pod(waiting(uid), |pod| pod.node = "n1".into());
        let mut debugged = bound("2");
        let Body::Pod(of) = &mut debugged.body else {
            panic!("{debugged:?}")
        };
        let mut more = of.containers.to_vec();
        more.push(more[0].clone());
        of.containers = more.into();
        let old = pod("old", "n1", &[]);
        let all = told(
            Vec::new(),
            vec![
                put(waiting("1"), SINCE + 10),
                put(bound("1"), SINCE + 20),
                gone(&bound("1"), SINCE + 30),
                gone(&bound("1"), SINCE + 31),
                put(bound("2"), SINCE + 40),
                put(debugged, SINCE + 50),
                put(old.clone(), SINCE + 60),
                gone(&old, SINCE + 70),
            ],
        );
        let expected = [
            (10, "a", What::Created),
            (20, "a", What::Bound { node: "n1".into() }),
            (30, "a", What::Deleted),
            (40, "a", What::Created),
            (70, "old", What::Deleted),
        ];
        let expected = expected.map(|(at, name, what)| (SINCE + at, format!("Pod {name}"), what));
        assert_eq!(all, expected, "the old one was there before, unknown");
    }

    #[test]
    fn nodes_are_ready_or_not() {
        let is = |ready| {
            let mut object = node("n1", "a", &[]);
            if let Body::Node(of) = &mut object.body {
                of.ready = ready;
            }
            object
        };
        let entries = vec![
            put(is(true), SINCE + 1),
            put(is(false), SINCE + 2),
            put(is(true), SINCE + 3),
        ];
        let all = told(vec![is(true)], entries);
        let expected = [(2, What::Ready(false)), (3, What::Ready(true))];
        let expected = expected.map(|(at, what)| (SINCE + at, "Node n1".to_owned(), what));
        assert_eq!(all, expected);
    }
}
