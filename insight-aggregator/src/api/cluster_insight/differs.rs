//! How two lists of resources or relations differ, as JSON. Of what was seen only hashes are kept.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::answer::with_fields;
use super::time::rfc3339;
use crate::model::now_ms;

/// Hashes of resources or relations, by what tells them apart: that is JSON, too.
pub(super) type Hashes = BTreeMap<String, u64>;

/// One of the two lists while it is compared.
pub(super) struct List<'s> {
    before: &'s Hashes,
    /// What there is now.
    pub(super) now: Hashes,
    added: String,
    changed: String,
}

impl<'s> List<'s> {
    /// To be compared with what was there before.
    pub(super) fn new(before: &'s Hashes) -> Self {
        Self {
            before,
            now: Hashes::new(),
            added: String::new(),
            changed: String::new(),
        }
    }

    /// Takes an item that is there now.
    pub(super) fn take(&mut self, key: String, item: &Value) {
        let text = item.to_string();
        let hash = xxh3_64(text.as_bytes());
        let list = match self.before.get(&key) {
            None => Some(&mut self.added),
            Some(known) if *known != hash => Some(&mut self.changed),
            Some(_) => None,
        };
        if let Some(list) = list {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&text);
        }
        self.now.insert(key, hash);
    }

    /// How what is there `now` differs.
    pub(super) fn differs(self, now: &Hashes) -> Difference {
        let gone = self.before.keys().filter(|key| !now.contains_key(*key));
        let gone: Vec<&str> = gone.map(String::as_str).collect();
        Difference {
            removed: gone.join(","),
            added: self.added,
            changed: self.changed,
        }
    }
}

/// Items of JSON lists.
pub(super) struct Difference {
    added: String,
    changed: String,
    removed: String,
}

impl Difference {
    /// As a field; none: nothing differs.
    fn field(&self, name: &str) -> Option<String> {
        let Self {
            added,
            changed,
            removed,
        } = self;
        let is_same = added.is_empty() && changed.is_empty() && removed.is_empty();
        (!is_same).then(|| {
            format!(
                "\"{name}\":{{\"added\":[{added}],\"changed\":[{changed}],\"removed\":[{removed}]}}"
            )
        })
    }
}

/// How both lists differ.
pub(super) struct Differs {
    pub(super) resources: Difference,
    pub(super) relations: Difference,
}

impl Differs {
    /// All that was added.
    pub(super) fn graph(&self) -> String {
        let (resources, relations) = (&self.resources.added, &self.relations.added);
        let lists = format!("\"resources\":[{resources}],\"relations\":[{relations}]");
        with_fields(&json!({ "timestamp": rfc3339(now_ms()) }), &lists)
    }

    /// What differs; none: nothing does.
    pub(super) fn delta(&self) -> Option<String> {
        let fields = [
            self.resources.field("resources"),
            self.relations.field("relations"),
        ];
        let fields: Vec<String> = fields.into_iter().flatten().collect();
        (!fields.is_empty()).then(|| {
            with_fields(
                &json!({ "timestamp": rfc3339(now_ms()) }),
                &fields.join(","),
            )
        })
    }
}
