//! The rows of a few ends over a long time, without reading all others.
//!
//! A span's keys say who was there, and are read once a span. What is read of each minute is only what the agents of the wanted ends' nodes wrote: a
//! report's place in the store starts with its node.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Result;

use super::state::{end_of, minutes_of, span_of};
use super::stored::{Known, Stored};
use super::window::{Builder, Range};
use super::{Ledger, State};
use crate::model::{
    Counters, Coverage, Entity, EntityId, Eras, Minute, RowKey, Sum, UnixMs, Window, now_ms,
};
use crate::store::WindowId;

/// Whose rows are wanted in one span.
#[derive(Default)]
pub(super) struct Wanted {
    locals: HashSet<EntityId>,
    /// Where these were measured; what others counted there tells who an address was.
    addresses: HashSet<IpAddr>,
    /// By key number.
    numbers: Vec<bool>,
    entities: HashMap<EntityId, Arc<Entity>>,
}

impl Wanted {
    /// Whether this row is.
    pub(super) fn has(&self, key: &RowKey) -> bool {
        self.locals.contains(&key.local) || self.addresses.contains(&key.local_addr)
    }

    /// Whether the row with this key number is.
    pub(super) fn has_number(&self, number: usize) -> bool {
        self.numbers.get(number).is_some_and(|wanted| *wanted)
    }
}

/// Reads the rows of a few ends.
pub struct Trace<'l> {
    ledger: &'l Ledger,
    known: Known,
    spans: Vec<WindowId>,
    kept_from: UnixMs,
    wanted: BTreeMap<WindowId, Wanted>,
    /// Whose agents counted any of it, in whichever span.
    nodes: BTreeSet<String>,
    /// The last report of each node in what was read before.
    before: BTreeMap<String, Coverage>,
}

impl<'l> Trace<'l> {
    /// Nothing wanted yet.
    pub(super) fn new(ledger: &'l Ledger) -> Result<Self> {
        Ok(Self {
            ledger,
            known: Known::default(),
            spans: Stored(&*ledger.store).spans()?,
            kept_from: now_ms().saturating_sub(ledger.retention),
            wanted: BTreeMap::new(),
            nodes: BTreeSet::new(),
            before: BTreeMap::new(),
        })
    }

    /// The spans of the whole retention, oldest first: the first and the last moment of each that is kept.
    pub fn spans(&self) -> Vec<(UnixMs, UnixMs)> {
        let spans = self.spans.iter().copied();
        let spans = spans.filter(|span| end_of(*span) > self.kept_from);
        let times = spans.filter_map(|span| {
            let first = minutes_of(span).next()?.start();
            Some((first.max(self.kept_from), end_of(span)))
        });
        times.collect()
    }

    /// Who was there in the span that holds `at`: its keys, as if each had opened one connection over all of it.
    pub fn outline(&mut self, at: UnixMs) -> Result<Window> {
        let span = span_of(Minute::of(at));
        let (from, to) = (at, end_of(span).min(now_ms()).max(at));
        let sum = Sum {
            counters: Counters {
                opened: 1,
                ..Counters::default()
            },
            first_seen: from,
            last_seen: to,
        };
        let stored = Stored(&*self.ledger.store);
        stored.read_keys(span, &mut self.known)?;
        let keys = self.known.keys_of(span).iter();
        let rows = keys.map(|(_, key)| (Arc::clone(key), sum)).collect();
        let entities = stored.entities(span, &mut self.known, |_| true)?;
        let entities = entities
            .into_iter()
            .map(|entity| (Arc::clone(&entity.id), Arc::unwrap_or_clone(entity)));
        Ok(Window {
            from,
            to,
            rows,
            entities: entities.collect(),
            ..Window::default()
        })
    }

    /// From now on the rows of these are read in the span that `outline` is of.
    pub fn want(&mut self, outline: &Window, locals: HashSet<EntityId>) {
        let span = span_of(Minute::of(outline.from));
        // Every network namespace has the same loopback addresses.
        let is_place = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
        let own = outline.rows.keys();
        let own = own.filter(|key| locals.contains(&key.local));
        let addresses = own.map(|key| key.local_addr).filter(is_place).collect();
        let mut wanted = Wanted {
            locals,
            addresses,
            numbers: Vec::new(),
            entities: HashMap::new(),
        };
        wanted.numbers = outline.rows.keys().map(|key| wanted.has(key)).collect();
        let rows = outline.rows.keys().zip(&wanted.numbers);
        let all: HashSet<&EntityId> = rows
            .filter(|(_, wanted)| **wanted)
            .map(|(key, _)| &key.local)
            .chain(&wanted.locals)
            .collect();
        let entities = all.into_iter().filter_map(|id| outline.entities.get(id));
        let entities = entities.map(|entity| (Arc::clone(&entity.id), Arc::new(entity.clone())));
        wanted.entities = entities.collect();
        let nodes = wanted.entities.values().map(|entity| entity.node.clone());
        self.nodes.extend(nodes);
        self.wanted.insert(span, wanted);
    }

    /// Whether it was said what is wanted in the span that holds `at`.
    pub fn knows(&self, at: UnixMs) -> bool {
        self.wanted.contains_key(&span_of(Minute::of(at)))
    }

    /// Whether anything is wanted in the span that holds `at`.
    pub fn wants(&self, at: UnixMs) -> bool {
        let wanted = self.wanted.get(&span_of(Minute::of(at)));
        wanted.is_some_and(|wanted| wanted.numbers.contains(&true))
    }

    /// What is wanted of a range within one span. Ranges are read in order of time, so that each knows who reported before it.
    pub fn window(&mut self, from: UnixMs, to: UnixMs, eras: &Eras) -> Result<Window> {
        let range = Range::new(from.max(self.kept_from), to);
        let span = span_of(range.first);
        let (mut builder, mut recent) = (Builder::new(eras), Builder::new(eras));
        let nobody = Wanted::default();
        let wanted = self.wanted.get(&span).unwrap_or(&nobody);
        let floor = {
            let state: &State = &self.ledger.read();
            recent.add_wanted(state, range, wanted, &self.nodes);
            state.floor
        };
        let stored = Stored(&*self.ledger.store);
        for minute in range.minutes_of(&[span], floor) {
            let cells = stored.wanted(minute, wanted, &self.nodes, &mut self.known)?;
            builder.add_minute(minute, &cells, self.known.keys_of(span));
        }
        builder.append(recent);
        builder.name(|mentioned| {
            let entities = wanted.entities.values();
            let entities = entities.filter(|entity| mentioned(&entity.id));
            Ok(entities.cloned().collect())
        })?;
        let mut window = builder.finish(range.from(), range.to(now_ms()));
        let last = window.coverage.iter().filter_map(|(node, reports)| {
            let last = reports.iter().max_by_key(|report| (report.to, report.from));
            Some((node.clone(), *last?))
        });
        let last: Vec<_> = last.collect();
        window.before = self.before.clone();
        self.before.extend(last);
        Ok(window)
    }
}
