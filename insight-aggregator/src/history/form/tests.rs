//! What was stored comes back, whatever it is; and what it costs.

use super::*;
use crate::history::testing::{every_body, hostile, realistic_pod};
use crate::kubernetes::Index;
use crate::kubernetes::object::{ApiKind, Object, Owner};
use crate::kubernetes::testing::owner;

/// The Event of a message.
fn to_occurrence(of: &stored::Event, texts: &mut Texts) -> Result<Occurrence> {
    let about = of.about.as_ref().context("it is about nothing")?;
    Ok(Occurrence {
        uid: texts.intern(&of.uid),
        namespace: texts.intern(&of.namespace),
        about: decode::owner(about, texts),
        severity: texts.intern(&of.severity),
        reason: texts.intern(&of.reason),
        note: of.note.as_str().into(),
        count: of.count,
        first: of.first,
        last: of.last,
    })
}

fn entry(change: Change) -> Entry {
    Entry {
        at: 1_700_000_000_123,
        order: 7,
        writer: u64::MAX,
        change,
    }
}

fn there_and_back(of: &Entry) -> Entry {
    let value = encode(&of_entry(of).unwrap());
    to_entry(&decode(&value).unwrap(), &mut Texts::default()).unwrap()
}

fn put(object: Object) -> Entry {
    entry(Change::put(object, u64::MAX, 1_700_000_000_123))
}

#[test]
fn every_kind_of_object_comes_back() {
    for object in every_body() {
        let of = put(object);
        assert_eq!(there_and_back(&of), of);
    }
}

#[test]
fn hostile_texts_come_back() {
    for text in hostile() {
        for mut object in every_body() {
            let meta = &mut object.meta;
            meta.name = text.as_str().into();
            meta.namespace = text.as_str().into();
            meta.uid = text.as_str().into();
            meta.labels = [(text.as_str().into(), text.as_str().into())].into();
            meta.controller = Some(owner(ApiKind::Other(text.as_str().into()), &text));
            meta.created = i64::MIN;
            meta.deleting = Some(i64::MAX);
            let of = put(object);
            assert_eq!(there_and_back(&of), of);
        }
    }
}

#[test]
fn the_other_changes_come_back() {
    let pod = || ApiKind::Pod;
    let why = || "403: \"no\"\n".to_owned();
    let gone = Change::Gone {
        kind: ApiKind::of("Rollout", "argoproj.io"),
        namespace: "shop".into(),
        name: "a\"b".into(),
        uid: "u".into(),
        at: 1_700_000_000_123,
    };
    let watches = [
        Watch::Starting,
        Watch::Current,
        Watch::Absent,
        Watch::Forbidden { why: why() },
        Watch::Behind {
            since: None,
            why: why(),
        },
        Watch::Behind {
            since: Some(0),
            why: String::new(),
        },
    ];
    let watches = watches.map(|watch| Change::Watch(pod(), watch));
    for change in watches.into_iter().chain([gone]) {
        let of = entry(change);
        assert_eq!(there_and_back(&of), of);
    }
}

#[test]
fn events_come_back() {
    for text in hostile() {
        let of = Occurrence {
            uid: text.as_str().into(),
            namespace: "".into(),
            about: Owner {
                kind: ApiKind::Node,
                name: text.as_str().into(),
                uid: "".into(),
            },
            severity: "Warning".into(),
            reason: "BackOff".into(),
            note: text.as_str().into(),
            count: u32::MAX,
            first: -1,
            last: i64::MAX,
        };
        let value = encode(&of_occurrence(&of, 5));
        let message: stored::Event = decode(&value).unwrap();
        assert_eq!(message.at, 5);
        assert_eq!(to_occurrence(&message, &mut Texts::default()).unwrap(), of);
    }
}

#[test]
fn what_is_broken_is_an_error() {
    let value = encode(&of_entry(&put(realistic_pod(1))).unwrap());
    assert!(decode::<stored::Change>(&[]).is_err());
    assert!(decode::<stored::Change>(&[9, 1, 2]).is_err());
    let error = decode::<stored::Change>(&[3]).unwrap_err().to_string();
    assert!(error.contains("form 3"), "{error}");
    for end in 1..value.len() {
        // Cut short it is an error or another message, never a panic.
        if let Ok(message) = decode(&value[..end]) {
            let _ = to_entry(&message, &mut Texts::default());
        }
    }
    let compressed = compress(&of_entry(&put(realistic_pod(1))).unwrap()).unwrap();
    for end in 2..compressed.len() {
        assert!(decode::<stored::Change>(&compressed[..end]).is_err());
    }
    let mut wrong = of_entry(&put(realistic_pod(1))).unwrap();
    if let Some(stored::change::What::Put(of)) = &mut wrong.what
        && let Some(object) = &mut of.object
        && let Some(stored::object::Body::Pod(pod)) = &mut object.body
    {
        pod.addresses.push(vec![1, 2, 3]);
    }
    assert!(to_entry(&wrong, &mut Texts::default()).is_err());
}

/// What is budgeted for: 100,000 pods are 135,000 objects, and 20 changes a second.
#[test]
fn sizes_are_what_was_planned_for() {
    let pods: Vec<stored::Stored> = (0..2_000)
        .map(|n| {
            let Change::Put(of) = Change::put(realistic_pod(n), 1_000 + n, 1_700_000_000_000)
            else {
                unreachable!()
            };
            of_stored(&of)
        })
        .collect();
    let one = encode(&of_entry(&put(realistic_pod(1))).unwrap()).len();
    let of_snapshot = compress(&stored::Part {
        objects: pods,
        ..stored::Part::default()
    })
    .unwrap()
    .len()
        / 2_000;
    println!("a change of a pod: {one} bytes; a pod of a snapshot: {of_snapshot} bytes");
    assert!(one < 900, "a change of a pod: {one} bytes");
    assert!(
        of_snapshot < 200,
        "a pod of a snapshot: {of_snapshot} bytes"
    );
}

#[test]
fn an_index_told_of_its_own_changes_is_the_same() {
    let mut index = Index::default();
    index.note_changes();
    for (at, object) in (0..).zip(every_body()) {
        index.put(object, at);
    }
    let mut again = Index::default();
    for change in index.noted() {
        again.apply(there_and_back(&entry(change)).change);
    }
    let objects = |index: &Index| index.objects().cloned().collect::<Vec<_>>();
    assert_eq!(objects(&again), objects(&index));
    assert_eq!(again.version(), index.version());
}
