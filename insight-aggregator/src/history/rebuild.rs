//! The index as it was: a snapshot, and the changes after it, applied to an index as the watches apply them to the living one.

use std::collections::HashSet;

use anyhow::Result;
use insight_proto::storage as stored;

use super::form::{self, Entry};
use super::plan::{LOOK_BACK, Plan, plan};
use super::rows::{self, NAMES, SHARDS};
use super::snapshot;
use super::stats::HistoryStats;
use crate::kubernetes::object::{ApiKind, Text, Texts};
use crate::kubernetes::{Change, Index, Unrecorded};
use crate::model::UnixMs;
use crate::store::{Scan, Store};

/// How far back a snapshot is looked for, windows: there is one each hour, unless the aggregator was away.
const WINDOWS_BACK: usize = 2;
/// A change may be in the hour before that of a snapshot which does not have it, milliseconds.
const DISORDER: i64 = 10_000;
/// Unreadable snapshots that are passed over.
const MAX_BROKEN: usize = 6;

/// Makes indexes of what a store has.
pub(super) struct Rebuild<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) stats: &'s HistoryStats,
    /// What was recorded until then is written; of the time after it may be on its way.
    pub(super) settled: UnixMs,
}

impl Rebuild<'_> {
    /// The index as it was in this time range, known as it was at its end; none: nothing was ever recorded.
    pub(super) fn index(&self, from: UnixMs, to: UnixMs) -> Result<Option<Index>> {
        let (mut manifests, recorded) = self.neighbourhood(from, to)?;
        for _ in 0..MAX_BROKEN {
            let Some(plan) = plan(manifests.clone(), &recorded, from, to) else {
                return Ok(None);
            };
            match self.replay(&plan, from, to)? {
                Ok(index) => return Ok(Some(index)),
                Err(broken) => manifests.retain(|manifest| *manifest != broken),
            }
        }
        Ok(None)
    }

    /// The manifests and recorded times from a while before a range until a while after it.
    fn neighbourhood(
        &self,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<(Vec<stored::Manifest>, Vec<stored::Recorded>)> {
        let windows = self.store.windows(NAMES)?;
        let first = windows.partition_point(|window| *window < rows::window_of(from - LOOK_BACK));
        let last = windows.partition_point(|window| *window <= rows::window_of(to));
        // One more after it, for what is known later.
        let near = first.saturating_sub(WINDOWS_BACK)..windows.len().min(last + 1);
        let (mut manifests, mut recorded) = (Vec::new(), Vec::new());
        for &window in &windows[near] {
            let (start, end) = rows::times_of(window);
            manifests.extend(snapshot::manifests(self.store, window, start, end)?);
            let scan = Scan::partition(NAMES, window, rows::of_recorded());
            for row in self.store.scan(&scan)? {
                recorded.extend(self.readable(form::decode::<stored::Recorded>(&row.value)));
            }
        }
        Ok((manifests, recorded))
    }

    /// The index, or a snapshot that cannot be read.
    fn replay(
        &self,
        plan: &Plan,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<Result<Index, stored::Manifest>> {
        let mut index = Index::of_the_past();
        let start = match &plan.base {
            Some(base) => {
                let Some(parts) = self.readable(snapshot::load(self.store, base)) else {
                    return Ok(Err(base.clone()));
                };
                self.list(&mut index, &parts, base.at);
                Some(base)
            }
            None => plan.lists.first(),
        };
        let mut lists = plan.lists.iter().peekable();
        if let Some(start) = start {
            let (changes, is_complete) = self.changes(start, to, index.texts())?;
            if !is_complete {
                index.note_unrecorded(Unrecorded { from, to });
            }
            for entry in changes {
                while let Some(list) = lists.next_if(|list| list.at <= entry.at) {
                    let Some(parts) = self.readable(snapshot::load(self.store, list)) else {
                        return Ok(Err(list.clone()));
                    };
                    self.list(&mut index, &parts, list.at);
                }
                if !plan.lists.iter().any(|list| has(list, &entry)) {
                    index.apply(entry.change);
                }
            }
        }
        for list in lists {
            let Some(parts) = self.readable(snapshot::load(self.store, list)) else {
                return Ok(Err(list.clone()));
            };
            self.list(&mut index, &parts, list.at);
        }
        if let Some(ahead) = &plan.ahead {
            let Some(parts) = self.readable(snapshot::load(self.store, ahead)) else {
                return Ok(Err(ahead.clone()));
            };
            self.look_ahead(&mut index, &parts, ahead.at, to);
        }
        for time in plan
            .unrecorded
            .iter()
            .filter(|time| time.from < self.settled)
        {
            index.note_unrecorded(time.clone());
        }
        Ok(Ok(index))
    }

    /// Puts a snapshot; what of these kinds is not in it is gone by `at`.
    fn list(&self, index: &mut Index, parts: &[stored::Part], at: UnixMs) {
        let kinds: Vec<ApiKind> = index.kinds().cloned().collect();
        for kind in &kinds {
            index.list_started(kind);
        }
        self.put(index, parts, |_, _| true);
        for kind in &kinds {
            index.list_ended(kind, at);
        }
        let watches = parts.iter().flat_map(|part| &part.watches);
        for watch in watches {
            let change = form::to_watch(watch, index.texts());
            index.apply(change);
        }
    }

    /// Takes what was there already at the end of the range, though it was only known later; and lets go of what was not there any more then.
    fn look_ahead(&self, index: &mut Index, parts: &[stored::Part], at: UnixMs, to: UnixMs) {
        let known: HashSet<Text> = index
            .objects()
            .map(|stored| Text::clone(&stored.object.meta.uid))
            .collect();
        let is_new = |_: &Index, object: &stored::Object| {
            object.created <= to && !known.contains(object.uid.as_str())
        };
        self.put(index, parts, is_new);
        let objects = parts.iter().flat_map(|part| &part.objects);
        let there: HashSet<&str> = objects
            .filter_map(|of| Some(of.object.as_ref()?.uid.as_str()))
            .collect();
        let pods = index.of_kind(&ApiKind::Pod);
        let gone: Vec<Change> = pods
            .map(|stored| &stored.object.meta)
            .filter(|meta| !there.contains(&*meta.uid))
            .map(|meta| Change::Gone {
                kind: meta.kind.clone(),
                namespace: Text::clone(&meta.namespace),
                name: Text::clone(&meta.name),
                uid: Text::clone(&meta.uid),
                at,
            })
            .collect();
        for change in gone {
            index.apply(change);
        }
    }

    fn put(
        &self,
        index: &mut Index,
        parts: &[stored::Part],
        is_wanted: impl Fn(&Index, &stored::Object) -> bool,
    ) {
        let objects = parts.iter().flat_map(|part| &part.objects);
        // In the order in which they came, because of two things of which both have one address the second one was seen last.
        let mut objects: Vec<&stored::Stored> = objects.collect();
        objects.sort_by_key(|of| of.changed);
        for of in objects {
            let object = of.object.as_ref();
            if !object.is_some_and(|object| is_wanted(index, object)) {
                continue;
            }
            let change = form::to_put(of, index.texts());
            if let Some(change) = self.readable(change) {
                index.apply(change);
            }
        }
        for of in parts.iter().flat_map(|part| &part.controllers) {
            let controller = form::to_controller(of, index.texts());
            let uid = index.texts().intern(&of.uid);
            index.controller_gone(uid, controller);
        }
    }

    /// The changes after `from` until `to`, in order.
    pub(super) fn between(
        &self,
        from: UnixMs,
        to: UnixMs,
        texts: &mut Texts,
    ) -> Result<Vec<Entry>> {
        // As if there was a snapshot then, of nobody who writes.
        let base = stored::Manifest {
            at: from,
            ..stored::Manifest::default()
        };
        Ok(self.changes(&base, to, texts)?.0)
    }

    /// The changes after a snapshot until `to`, in order, and whether all could be read.
    fn changes(
        &self,
        base: &stored::Manifest,
        to: UnixMs,
        texts: &mut Texts,
    ) -> Result<(Vec<Entry>, bool)> {
        let (mut entries, mut is_complete) = (Vec::new(), true);
        for hour in rows::hour_of(base.at - DISORDER)..=rows::hour_of(to) {
            let window = rows::window_of(hour * rows::HOUR);
            for shard in 0..SHARDS {
                let partition = rows::of_changes(hour, shard);
                let found = self
                    .store
                    .scan(&Scan::partition(NAMES, window, partition))?;
                for row in found {
                    self.stats.rows_read.one();
                    let change = form::decode::<stored::Change>(&row.value);
                    let change = change.and_then(|change| {
                        let is_later = change.at <= to && !is_in(base, &change);
                        is_later.then(|| form::to_entry(&change, texts)).transpose()
                    });
                    match self.readable(change) {
                        Some(entry) => entries.extend(entry),
                        None => is_complete = false,
                    }
                }
            }
        }
        entries.sort_by_key(|entry| (entry.at, entry.writer, entry.order));
        Ok((entries, is_complete))
    }

    /// What could be read; else it is counted and logged.
    fn readable<T>(&self, read: Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                self.stats.unreadable.one();
                tracing::error!(
                    error = format!("{error:#}"),
                    "cannot read a part of what Kubernetes said in the past"
                );
                None
            }
        }
    }
}

/// Whether a snapshot has a change already.
fn is_in(base: &stored::Manifest, change: &stored::Change) -> bool {
    match change.writer == base.writer {
        true => change.order <= base.order,
        false => change.at <= base.at,
    }
}

fn has(list: &stored::Manifest, entry: &Entry) -> bool {
    entry.writer == list.writer && entry.order <= list.order && entry.at > list.at
}
