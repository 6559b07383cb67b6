//! Between the watches and the disk: changes that wait to be written. The watches never wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::form::Entry;
use super::stats::HistoryStats;
use crate::kubernetes::{Change, Listener};
use crate::model::now_ms;
use std::sync::Arc;

/// Changes that wait, about 1 KiB each. The first lists of a large cluster bring more at once; then a snapshot stands for what found no room.
const MAX_WAITING: usize = 20_000;

/// The end of it that the index writes to.
#[derive(Debug)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    /// Who writes.
    pub(super) writer: u64,
    order: AtomicU64,
    lost: AtomicBool,
    stats: Arc<HistoryStats>,
}

impl Queue {
    /// An empty one, and the end that is read.
    pub(super) fn new(writer: u64, stats: Arc<HistoryStats>) -> (Arc<Self>, Receiver<Entry>) {
        Self::with_room(MAX_WAITING, writer, stats)
    }

    pub(super) fn with_room(
        room: usize,
        writer: u64,
        stats: Arc<HistoryStats>,
    ) -> (Arc<Self>, Receiver<Entry>) {
        let (entries, waiting) = sync_channel(room);
        let queue = Self {
            entries,
            writer,
            order: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            stats,
        };
        (Arc::new(queue), waiting)
    }

    /// The number of the last change. While the index is locked for reading that is what it holds.
    pub(super) fn order(&self) -> u64 {
        self.order.load(Ordering::SeqCst)
    }

    /// Whether changes have found no room since this was asked last.
    pub(super) fn take_lost(&self) -> bool {
        self.lost.swap(false, Ordering::SeqCst)
    }
}

impl Listener for Queue {
    fn heard(&self, changes: Vec<Change>) {
        for change in changes {
            let at = match &change {
                Change::Put(of) => of.changed,
                Change::Gone { at, .. } => *at,
                Change::Watch(..) | Change::Occurred(_) => now_ms(),
            };
            let entry = Entry {
                at,
                order: self.order.fetch_add(1, Ordering::SeqCst) + 1,
                writer: self.writer,
                change,
            };
            if self.entries.try_send(entry).is_err() {
                self.lost.store(true, Ordering::SeqCst);
                self.stats.lost.one();
            }
        }
    }
}
