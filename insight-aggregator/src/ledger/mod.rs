//! The durable record of what was counted, by flow end and minute.
//!
//! A commit is planned against what is in memory (`plan`), written as one atomic batch (`tables`, `codec`), and only then
//! taken into memory (`state`). What a report adds to its minute's rows is written once, in a place of its own, and added up when
//! it is read; nothing is read to write it. The newest minutes are answered from memory, older ones from the store (`stored`,
//! `window`); both give the same answer.

mod codec;
mod earlier;
mod map;
mod numbers;
mod plan;
mod rows;
mod sequences;
mod state;
mod stats;
mod stored;
mod tables;
mod totals;
mod trace;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use crate::model::{Eras, Report, UnixMs, Window, now_ms};
use crate::store::Store;

pub use stats::{Counts, Stats};
pub use tables::TABLES;
pub use totals::Totals;
pub use trace::Trace;

use earlier::Earlier;
use state::{MAX_ROWS, State, span_of};
use stored::{Known, Stored};

/// What became of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable.
    Stored,
    /// It was durable already; nothing was added.
    Duplicate,
    /// A report before it is missing; nothing of it was stored.
    Gap {
        /// The sequence that has to come next.
        expected: u64,
    },
}

/// The durable record of what was counted. Shared by reference; calls that touch the store block.
pub struct Ledger {
    store: Arc<dyn Store>,
    /// How long windows are kept, milliseconds.
    retention: i64,
    /// Held by whoever changes the store and then `state`, so that readers need not wait for the disk.
    writer: Mutex<()>,
    state: RwLock<State>,
    changes: watch::Sender<u64>,
}

impl Ledger {
    /// Opens the ledger that is in `store` and reloads its newest minutes, entities and sequences. `now` is the time,
    /// milliseconds since 1970; windows older than `retention` may be dropped.
    pub fn open(store: Arc<dyn Store>, retention: Duration, now: UnixMs) -> Result<Self> {
        Self::open_with(store, retention, now, MAX_ROWS)
    }

    /// See [`Self::open`] and [`MAX_ROWS`].
    fn open_with(
        store: Arc<dyn Store>,
        retention: Duration,
        now: UnixMs,
        max_rows: usize,
    ) -> Result<Self> {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let state = State::load(&Stored(&*store), now, retention, max_rows)
            .context("reading the ledger's newest minutes from the store")?;
        Ok(Self {
            store,
            retention,
            writer: Mutex::new(()),
            state: RwLock::new(state),
            changes: watch::Sender::new(0),
        })
    }

    /// Makes reports durable, all in one write, and answers what became of each, in their order. Blocks until they are on
    /// disk. After an error nothing of them counts, and they may be committed again.
    pub fn commit(&self, reports: Vec<Report>, now: UnixMs) -> Result<Vec<Outcome>> {
        let _writer = self.lock_writer();
        let (outcomes, mut changes) = {
            let before = Stored(&*self.store);
            plan::plan(&self.read(), &before, reports, now, self.retention)?
        };
        let changed = outcomes.contains(&Outcome::Stored);
        if changed {
            self.store.put(tables::puts(&changes))?;
            changes.counts.commits = 1;
        }
        let old = self.write().apply(changes, now);
        drop(old);
        if changed {
            self.changes.send_modify(|version| *version += 1);
        }
        Ok(outcomes)
    }

    /// Highest sequence of this node's epoch that is durable; 0 when none is known.
    pub fn durable_sequence(&self, node: &str, epoch: u64) -> u64 {
        self.read().sequences.last(node, epoch)
    }

    /// Everything known of a time range, which is widened to full minutes; `to` is never later than now.
    pub fn window(&self, from: UnixMs, to: UnixMs) -> Result<Window> {
        self.window_of(from, to, &Eras::default())
    }

    /// The same, with rows kept apart where an address changed hands.
    pub fn window_of(&self, from: UnixMs, to: UnixMs, eras: &Eras) -> Result<Window> {
        let now = now_ms();
        // Windows are dropped whole: what of them is older than the retention is not shown any more.
        let kept_from = now.saturating_sub(self.retention);
        if to <= kept_from {
            return Ok(Window {
                from,
                to,
                kept_from,
                ..Window::default()
            });
        }
        let mut window = self.window_in(from.max(kept_from), to, now, eras)?;
        window.before.retain(|_, report| report.to > kept_from);
        Ok(window)
    }

    /// See [`Self::window`].
    #[cfg(test)]
    fn window_at(&self, from: UnixMs, to: UnixMs, now: UnixMs) -> Result<Window> {
        self.window_in(from, to, now, &Eras::default())
    }

    /// See [`Self::window_of`].
    fn window_in(&self, from: UnixMs, to: UnixMs, now: UnixMs, eras: &Eras) -> Result<Window> {
        let range = window::Range::new(from, to);
        let mut recent = window::Builder::new(eras);
        // Memory and where it starts belong together; the store is read without holding up commits.
        let (oldest_in_memory, oldest_span, earlier) = {
            let state = self.read();
            recent.add_memory(&state, range);
            let earlier = state.earlier_than(range.first);
            (state.floor, span_of(state.floor), earlier)
        };
        let mut builder = window::Builder::new(eras);
        let mut known = Known::default();
        let stored = Stored(&*self.store);
        let spans: Vec<_> = match range.first < oldest_in_memory {
            true => stored.spans()?,
            false => Vec::new(),
        };
        for minute in range.minutes_of(&spans, oldest_in_memory) {
            let cells = stored.minute(minute, &mut known)?;
            builder.add_minute(minute, &cells, known.keys_of(span_of(minute)));
        }
        builder.append(recent);
        builder.before = match earlier {
            Ok(earlier) => earlier,
            Err(missing) => Earlier::load(&stored, &spans, range.first, missing, &mut known),
        };
        for span in range.spans_of(&spans, oldest_span).rev() {
            builder.name(|wanted| stored.entities(span, &mut known, wanted))?;
        }
        Ok(builder.finish(range.from(), range.to(now)))
    }

    /// To read the rows of a few ends over a long time.
    pub fn trace(&self) -> Result<Trace<'_>> {
        Trace::new(self)
    }

    /// What was counted since this process started, by row.
    pub fn totals(&self) -> Totals {
        self.read().totals.snapshot()
    }

    /// From now on the totals of rows are kept apart by when addresses changed hands; what was added before stays as it is.
    pub fn split_totals(&self, eras: Eras) {
        self.write().totals.set_eras(eras);
    }

    /// A number that grows after each commit that stored something.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Drops windows that ended longer than the retention ago, and says how many.
    pub fn drop_expired(&self, now: UnixMs) -> Result<usize> {
        let _writer = self.lock_writer();
        let kept_from = now.saturating_sub(self.retention);
        let mut dropped = 0;
        for table in tables::BY_SPAN {
            for span in self.store.windows(table)? {
                if state::end_of(span) <= kept_from {
                    self.store.drop_window(table, span)?;
                    dropped += 1;
                }
            }
        }
        self.write().forget(kept_from, dropped);
        Ok(dropped)
    }

    /// The ledger's own numbers.
    pub fn stats(&self) -> Stats {
        self.read().stats()
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
