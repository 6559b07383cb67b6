//! The thread that writes what the watches tell.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::form::Entry;
use super::queue::Queue;
use super::stats::HistoryStats;
use super::writer::Writer;
use crate::kubernetes::Directory;
use crate::model::now_ms;
use crate::store::Store;

/// Changes of one write.
const MAX_BATCH: usize = 1_000;
/// Changes that come within this time are written together: a disk that syncs a few times a second does little else.
const GATHER: Duration = Duration::from_millis(300);
/// How often it is written down that nothing has happened.
const BEAT: Duration = Duration::from_secs(10);
/// What is older is written, milliseconds: two beats, and a disk that takes its time.
pub(super) const SETTLED_MS: i64 = 60_000;

/// Records the changes of a directory until it is stopped.
#[derive(Debug)]
pub struct Recorder {
    stop: CancellationToken,
    thread: JoinHandle<()>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
}

impl Recorder {
    /// Starts: all changes from now on are recorded.
    pub fn start(
        store: Arc<dyn Store>,
        directory: &Directory,
        stats: Arc<HistoryStats>,
    ) -> io::Result<Self> {
        let (queue, waiting) = Queue::new(new_writer(), Arc::clone(&stats));
        let writer = Writer::new(store, directory.clone(), Arc::clone(&queue), stats);
        let stop = CancellationToken::new();
        let until = stop.clone();
        let (running, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("names".into())
            .spawn(move || {
                let _running = running;
                run(writer, &waiting, &until);
            })?;
        directory.tell(queue);
        Ok(Self {
            stop,
            thread,
            ended,
        })
    }

    /// Writes what waits, and ends. Blocks, but not longer than this: a store that is away may hold a write for ever. Whether it has ended.
    pub fn stop(self, within: Duration) -> bool {
        self.stop.cancel();
        let has_ended = self.ended.recv_timeout(within) == Err(RecvTimeoutError::Disconnected);
        if has_ended {
            // A panic there has been printed.
            let _ = self.thread.join();
        }
        has_ended
    }
}

/// Tells this process from any other.
fn new_writer() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    // Two of one process, too, have addresses of their own.
    let here = Box::new(0_u8);
    let own = format!("{now} {} {:p}", std::process::id(), here);
    xxh3_64(own.as_bytes())
}

fn run(mut writer: Writer, waiting: &Receiver<Entry>, stop: &CancellationToken) {
    let mut beat = now_ms();
    while !stop.is_cancelled() {
        let mut batch = Vec::new();
        let gathered = Instant::now() + GATHER;
        while batch.len() < MAX_BATCH {
            match waiting.recv_timeout(gathered.saturating_duration_since(Instant::now())) {
                Ok(entry) => batch.push(entry),
                Err(RecvTimeoutError::Timeout) => break,
                // It is stopped before those who hear are gone.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let now = now_ms();
        let drained = take(&mut batch, waiting);
        let is_time = now - beat >= i64::try_from(BEAT.as_millis()).unwrap_or(i64::MAX);
        if !batch.is_empty() || is_time {
            writer.write(&batch, drained, now);
            beat = now;
        }
        writer.snapshot(now_ms());
    }
    loop {
        let mut batch = Vec::new();
        let now = now_ms();
        let drained = take(&mut batch, waiting);
        if !batch.is_empty() {
            writer.write(&batch, drained, now);
        }
        if drained {
            writer.finish(now);
            return;
        }
    }
}

/// Takes what waits; whether that is all.
fn take(batch: &mut Vec<Entry>, waiting: &Receiver<Entry>) -> bool {
    while batch.len() < MAX_BATCH {
        match waiting.try_recv() {
            Ok(entry) => batch.push(entry),
            Err(_) => return true,
        }
    }
    false
}
