//! Texts as the API server gives them, shortened where nothing is kept.

mod network;
mod pods;
mod rest;
mod workloads;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;
use crate::kubernetes::object::*;

/// An object of the API from its text.
fn parsed<K: DeserializeOwned>(text: Value) -> K {
    serde_json::from_value(text).unwrap()
}

fn converted<K: DeserializeOwned>(convert: fn(&K, &mut Texts) -> Object, text: Value) -> Object {
    convert(&parsed(text), &mut Texts::default())
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Texts::default().labels(pairs.iter().copied())
}

fn owner(kind: ApiKind, name: &str, uid: &str) -> Owner {
    Owner {
        kind,
        name: name.into(),
        uid: uid.into(),
    }
}

/// 2026-03-01T10:00:00Z, and so many seconds.
fn at(seconds: i64) -> UnixMs {
    1_772_359_200_000 + seconds * 1_000
}
