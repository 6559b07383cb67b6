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
    standing: Standing,
}

/// Whose counts these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// This agent reports for its node.
    #[default]
    Ours,
    /// Another agent reports for the node: what is counted here is counted there.
    Theirs,
    /// The other one is gone, and nothing that was counted in its time may be reported.
    Anew,
}

impl Outbox {
    /// Whether another batch may be built.
    pub fn has_room(&self) -> bool {
        let queue = self.lock();
        queue.standing == Standing::Ours && queue.batches.len() < MAX_UNACKED
    }

    /// Another agent reports for the node. What this one has is dropped, for it would be counted twice.
    pub fn deny(&self) {
        let mut queue = self.lock();
        queue.batches.clear();
        queue.standing = Standing::Theirs;
    }

    /// The aggregator takes this agent's reports.
    pub fn admit(&self) {
        let mut queue = self.lock();
        if queue.standing == Standing::Theirs {
            queue.standing = Standing::Anew;
        }
    }

    /// Whether counting has to begin anew; once after [`Self::admit`] ended a denial.
    pub fn begins_anew(&self) -> bool {
        let mut queue = self.lock();
        let anew = queue.standing == Standing::Anew;
        if anew {
            queue.standing = Standing::Ours;
        }
        anew
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

    #[test]
    fn what_another_agent_reports_is_not_kept() {
        let outbox = Outbox::default();
        outbox.admit();
        assert!(outbox.has_room() && !outbox.begins_anew());
        outbox.push(Batch::default());
        outbox.deny();
        assert!(outbox.is_empty() && !outbox.has_room() && !outbox.begins_anew());
        outbox.admit();
        assert!(!outbox.has_room() && outbox.begins_anew());
        assert!(outbox.has_room() && !outbox.begins_anew());
    }
}
