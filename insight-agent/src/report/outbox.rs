//! Batches that the aggregator has not acknowledged.

use std::sync::Mutex;

use bytes::Bytes;
use insight_proto::v1::{Batch, report_request};
use tokio::sync::Notify;

use super::wire;

/// A batch on its way, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its sequence.
    pub sequence: u64,
    /// The request that it is.
    pub request: Bytes,
}

/// The batch that is not acknowledged. There is one at most: while the aggregator is away the kernel goes on counting, and the next batch
/// covers the whole time, so that memory stays flat, and only time resolution is lost. And an agent that starts anew has to ask of one batch
/// only whether it is durable.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    freed: Notify,
    resumable: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Option<Waiting>,
    last: u64,
    standing: Standing,
    /// Another agent reported before this one could resume.
    denied: bool,
}

/// Whose counts these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// An agent before has reported, and the aggregator was not asked yet how much of it is durable.
    Resuming,
    /// It has everything up to this batch.
    Durable(u64),
    /// This agent reports for its node.
    #[default]
    Ours,
    /// Another agent reports for the node: what is counted here is counted there.
    Theirs,
    /// The other one is gone, and nothing that was counted in its time may be reported.
    Anew,
}

impl Outbox {
    /// One that goes on where an agent before has stopped.
    pub fn resuming() -> Self {
        let outbox = Self::default();
        outbox.lock().standing = Standing::Resuming;
        outbox
    }

    /// The aggregator says what it has of this epoch.
    pub fn greeted(&self, durable: u64) {
        let mut queue = self.lock();
        if matches!(queue.standing, Standing::Resuming | Standing::Durable(_)) {
            queue.standing = Standing::Durable(durable);
            drop(queue);
            self.resumable.notify_one();
        } else {
            drop(queue);
            self.acknowledge(durable);
        }
    }

    /// Waits until the aggregator has said what it has of the agent before: the sequence of its last durable batch. To be followed by
    /// [`Self::resume`].
    pub async fn durable(&self) -> u64 {
        loop {
            if let Standing::Durable(durable) = self.lock().standing {
                return durable;
            }
            self.resumable.notified().await;
        }
    }

    /// Batches may be built, from the one after `last` on.
    pub fn resume(&self, last: u64) {
        let mut queue = self.lock();
        queue.last = last;
        queue.standing = if queue.denied {
            Standing::Anew
        } else {
            Standing::Ours
        };
    }

    /// Sequence of the next batch.
    pub fn next_sequence(&self) -> u64 {
        self.lock().last + 1
    }

    /// Whether another batch may be built.
    pub fn has_room(&self) -> bool {
        let queue = self.lock();
        queue.standing == Standing::Ours && queue.waiting.is_none()
    }

    /// Another agent reports for the node. What this one has is dropped, for it would be counted twice.
    pub fn deny(&self) {
        let mut queue = self.lock();
        queue.waiting = None;
        if matches!(queue.standing, Standing::Resuming | Standing::Durable(_)) {
            queue.denied = true;
            queue.standing = Standing::Resuming;
        } else {
            queue.standing = Standing::Theirs;
        }
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

    /// Waits until another batch may be built.
    pub async fn room(&self) {
        while !self.has_room() {
            self.freed.notified().await;
        }
    }

    /// Gives the batch its sequence and keeps it until it is acknowledged. There must be room.
    pub fn push(&self, mut batch: Batch) {
        let mut queue = self.lock();
        debug_assert!(queue.waiting.is_none(), "a batch would be lost");
        queue.last += 1;
        batch.sequence = queue.last;
        queue.waiting = Some(Waiting {
            sequence: batch.sequence,
            request: wire::encode(report_request::Message::Batch(batch)),
        });
        drop(queue);
        self.changed.notify_one();
    }

    /// The batch that waits, if it comes after `sequence`.
    pub fn after(&self, sequence: u64) -> Option<Waiting> {
        let queue = self.lock();
        let waiting = queue.waiting.as_ref();
        waiting.filter(|batch| batch.sequence > sequence).cloned()
    }

    /// Forgets what comes up to `sequence`.
    pub fn acknowledge(&self, sequence: u64) {
        let mut queue = self.lock();
        queue.waiting.take_if(|batch| batch.sequence <= sequence);
        drop(queue);
        self.changed.notify_one();
        self.freed.notify_one();
    }

    /// Batches that are not acknowledged.
    pub fn len(&self) -> usize {
        usize::from(self.lock().waiting.is_some())
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
    use insight_proto::v1::ReportRequest;
    use prost::Message as _;

    use super::*;

    #[test]
    fn keeps_a_batch_until_it_is_acknowledged() {
        let outbox = Outbox::default();
        outbox.push(Batch::default());
        assert!(!outbox.has_room());
        let waiting = outbox.after(0).unwrap();
        let expected = Batch {
            sequence: 1,
            ..Batch::default()
        };
        let request = ReportRequest::decode(waiting.request).unwrap();
        assert_eq!(
            request.message,
            Some(report_request::Message::Batch(expected))
        );
        assert_eq!((waiting.sequence, outbox.after(1)), (1, None));
        outbox.acknowledge(0);
        assert_eq!(outbox.len(), 1);
        outbox.acknowledge(1);
        assert!(outbox.is_empty() && outbox.has_room());
        outbox.push(Batch::default());
        assert_eq!(outbox.after(1).unwrap().sequence, 2);
    }

    #[tokio::test]
    async fn room_comes_with_the_acknowledgement() {
        let outbox = std::sync::Arc::new(Outbox::default());
        outbox.room().await;
        outbox.push(Batch::default());
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outbox.acknowledge(1);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_reported_before_the_aggregator_says_what_it_has_of_the_agent_before() {
        let outbox = Outbox::resuming();
        outbox.admit();
        assert!(!outbox.has_room());
        outbox.greeted(7);
        assert_eq!(outbox.durable().await, 7);
        assert!(!outbox.has_room());
        outbox.resume(8);
        assert!(outbox.has_room());
        assert_eq!(outbox.next_sequence(), 9);
        outbox.push(Batch::default());
        assert_eq!(outbox.after(7).unwrap().sequence, 9);
        outbox.greeted(9);
        assert!(outbox.is_empty(), "later it is an acknowledgement");
    }

    #[tokio::test]
    async fn one_that_was_denied_before_it_resumed_begins_anew() {
        let outbox = Outbox::resuming();
        outbox.deny();
        outbox.greeted(7);
        outbox.resume(outbox.durable().await);
        assert!(!outbox.has_room() && outbox.begins_anew() && outbox.has_room());
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
