//! An aggregator's part that records, with a clock that the test sets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::history::form::Entry;
use crate::history::queue::Queue;
use crate::history::writer::Writer;
use crate::history::{History, HistoryStats};
use crate::kubernetes::Directory;
use crate::kubernetes::object::Object;
use crate::model::UnixMs;
use crate::store::{Put, Row, Scan, Store, WindowId};

/// One process that records.
pub(super) struct Recording {
    pub(super) directory: Directory,
    pub(super) writer: Writer,
    waiting: Receiver<Entry>,
}

impl Recording {
    /// A process that begins with what the store has.
    pub(super) fn begin(history: &History, writer: u64, now: UnixMs) -> Self {
        let directory = Directory::default();
        history.begin(&directory, now).unwrap();
        Self::start(history, directory, writer, 20_000)
    }

    /// A process with room for so many changes.
    pub(super) fn start(history: &History, directory: Directory, writer: u64, room: usize) -> Self {
        let stats = || Arc::clone(history.stats());
        let (queue, waiting) = Queue::with_room(room, writer, stats());
        directory.tell(queue.clone());
        let store = Arc::clone(&history.store);
        Self {
            writer: Writer::new(store, directory.clone(), queue, stats()),
            directory,
            waiting,
        }
    }

    pub(super) fn put(&self, object: Object, version: u64, at: UnixMs) {
        self.directory
            .change(|index| index.put_version(object, version, at));
    }

    pub(super) fn gone(&self, object: &Object, at: UnixMs) {
        let meta = &object.meta;
        self.directory.change(|index| {
            index.gone(&meta.kind, &meta.namespace, &meta.name, &meta.uid, at);
        });
    }

    /// Writes what waits, and a snapshot if it is time.
    pub(super) fn flush(&mut self, now: UnixMs) {
        let entries: Vec<Entry> = self.waiting.try_iter().collect();
        self.writer.write(&entries, true, now);
        self.writer.snapshot(now);
    }
}

/// What a store has, kept for ever.
pub(super) fn history(store: Arc<dyn Store>) -> History {
    History::new(store, Duration::from_secs(365 * 86_400))
}

/// A store that takes so many writes and then no more.
pub(super) struct Breaking {
    pub(super) store: Arc<dyn Store>,
    pub(super) left: AtomicU64,
}

impl Store for Breaking {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        let take_one = |left: u64| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
            .is_err()
        {
            bail!("the disk is gone");
        }
        self.store.put(batch)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        self.store.scan(scan)
    }

    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        self.store.windows(table)
    }

    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        self.store.drop_window(table, window)
    }
}

/// What the history counts, by name.
pub(super) fn counted(stats: &HistoryStats) -> [(&'static str, u64); 4] {
    [
        ("lost", stats.lost.get()),
        ("failures", stats.failures.get()),
        ("snapshots", stats.snapshots.get()),
        ("unreadable", stats.unreadable.get()),
    ]
}

/// A store that is away: whoever writes waits until the other end of its channel is gone.
pub(super) struct Away {
    /// Told of each write.
    pub(super) came: Sender<()>,
    /// Held up by this.
    pub(super) until: Mutex<Receiver<()>>,
}

impl Store for Away {
    fn put(&self, _: Vec<Put>) -> Result<()> {
        self.came.send(())?;
        let _ = self.until.lock().unwrap().recv();
        Ok(())
    }

    fn scan(&self, _: &Scan) -> Result<Vec<Row>> {
        Ok(Vec::new())
    }

    fn windows(&self, _: &'static str) -> Result<Vec<WindowId>> {
        Ok(Vec::new())
    }

    fn drop_window(&self, _: &'static str, _: WindowId) -> Result<()> {
        Ok(())
    }
}
