//! What it takes to keep the index of a large cluster, and to make it again for a past time.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use insight_aggregator::history::{History, Names};
use insight_aggregator::kubernetes::{Directory, Index};
use insight_aggregator::model::now_ms;
use insight_aggregator::store::Memory;

/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was measured.
pub(super) struct Past {
    /// Compressed.
    pub(super) snapshot_bytes: u64,
    /// From nothing to an index that can be asked.
    pub(super) rebuild: Duration,
}

/// Keeps an index in memory and asks for it again.
pub(super) fn measure(index: Index) -> Result<Past> {
    let objects = index.objects().count();
    let directory = Directory::default();
    directory.change(|known| *known = index);
    let history = Arc::new(History::new(Arc::new(Memory::default()), PATIENCE));
    let recorder = history.record(&directory)?;
    let started = Instant::now();
    while history.stats().snapshots.get() == 0 {
        ensure!(started.elapsed() < PATIENCE, "no snapshot was made");
        #[expect(clippy::disallowed_methods, reason = "another thread writes it")]
        sleep(Duration::from_millis(50));
    }
    ensure!(recorder.stop(PATIENCE), "the recorder goes on");
    let snapshot_bytes = history.stats().snapshot_bytes.get();
    let names = Names::new(Directory::default(), history);
    let (now, started) = (now_ms(), Instant::now());
    let of_then = names.of(now - 1, now)?;
    let rebuild = started.elapsed();
    let found = of_then.read().objects().count();
    ensure!(found == objects, "{found} of {objects} objects");
    Ok(Past {
        snapshot_bytes,
        rebuild,
    })
}
