//! Batches that the aggregator has not acknowledged.

use std::collections::VecDeque;
use std::sync::Mutex;

use insight_proto::v1::Batch;
use tokio::sync::Notify;

/// No more batches than this are built ahead of the acknowledgements. While the aggregator is away the kernel goes on counting,
/// and the next batch covers the whole time: memory stays flat, and only time resolution is lost.
pub const MAX_UNACKED: usize = 4;

/// Batches in order, from the first that is not acknowledged.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    last: u64,
}

impl Outbox {
    /// Whether another batch may be built.
    pub fn has_room(&self) -> bool {
        self.lock().batches.len() < MAX_UNACKED
    }

    /// Gives the batch its sequence and keeps it until it is acknowledged.
    pub fn push(&self, mut batch: Batch) {
        let mut queue = self.lock();
        queue.last += 1;
        batch.sequence = queue.last;
        queue.batches.push_back(batch);
        drop(queue);
        self.changed.notify_one();
    }

    /// The first batch after `sequence`, if it is there.
    pub fn after(&self, sequence: u64) -> Option<Batch> {
        let queue = self.lock();
        queue
            .batches
            .iter()
            .find(|batch| batch.sequence > sequence)
            .cloned()
    }

    /// Forgets batches up to `sequence`.
    pub fn acknowledge(&self, sequence: u64) {
        let mut queue = self.lock();
        while queue
            .batches
            .front()
            .is_some_and(|batch| batch.sequence <= sequence)
        {
            queue.batches.pop_front();
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Batches that are not acknowledged.
    pub fn len(&self) -> usize {
        self.lock().batches.len()
    }

    /// Whether all are acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a batch came or went since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_acknowledged_in_order() {
        let outbox = Outbox::default();
        for _ in 0..MAX_UNACKED {
            assert!(outbox.has_room());
            outbox.push(Batch::default());
        }
        assert!(!outbox.has_room());
        assert_eq!(outbox.after(0).unwrap().sequence, 1);
        outbox.acknowledge(2);
        assert_eq!((outbox.len(), outbox.after(0).unwrap().sequence), (2, 3));
        assert_eq!(outbox.after(4), None);
        outbox.acknowledge(9);
        assert!(outbox.is_empty());
    }
}
