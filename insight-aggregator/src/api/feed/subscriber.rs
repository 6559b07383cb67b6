//! One reader of a live graph.

use std::sync::Arc;
use std::time::Duration;

use insight_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tonic::Status;
use v1::graph_event::Event;

use super::Shared;
use super::history::Version;
use super::live::{Feed, Newest};
use crate::api::grpc::status_of;
use crate::graph;

/// A reader that does not take a message for so long is slow: what it was sent last is forgotten, and it is told so.
pub const SLOW: Duration = Duration::from_secs(2);
/// Graphs with more nodes and edges are copied and compared on a thread that may block; fewer take below a millisecond.
const ITEMS_IN_PLACE: usize = 1_000;

/// What the reader is known to have.
#[derive(Clone)]
enum Has {
    /// Nothing, and it knows.
    Nothing,
    /// This version.
    Sent(Arc<Version>),
    /// Once version `sent`, which is not kept for it any more.
    Slow { sent: u64 },
    /// A version that is unknown here.
    Unknown,
}

/// One reader of a live graph.
pub struct Subscriber {
    shared: Arc<Shared>,
    feed: Arc<Feed>,
    newest: Newest,
    has: Has,
    _seat: OwnedSemaphorePermit,
}

/// The reader is gone.
struct Gone;

type Reader = mpsc::Sender<Result<v1::GraphEvent, Status>>;

impl Subscriber {
    pub(super) fn new(
        shared: &Arc<Shared>,
        feed: Arc<Feed>,
        newest: Newest,
        token: &str,
        seat: OwnedSemaphorePermit,
    ) -> Self {
        let has = match feed.resume(token) {
            Some(version) => Has::Sent(version),
            None if token.is_empty() => Has::Nothing,
            None => {
                shared.stats.lost_unknown_token.one();
                Has::Unknown
            }
        };
        Self {
            shared: shared.clone(),
            feed,
            newest,
            has,
            _seat: seat,
        }
    }

    /// Tells the reader what changes until it leaves, the aggregator stops or the graph cannot be made.
    pub async fn run(mut self, reader: Reader) {
        let stop = self.shared.stop.clone();
        tokio::select! {
            // Either way of leaving is the end of the subscription.
            _ = self.tell(&reader) => {}
            () = reader.closed() => {}
            () = stop.cancelled() => {
                // A reader that has no room learns it from the closed connection.
                let _ = reader.try_send(Err(Status::unavailable("the aggregator is stopping")));
            }
        }
    }

    async fn tell(&mut self, reader: &Reader) -> Result<(), Gone> {
        loop {
            self.wait_for_news().await?;
            let room = match tokio::time::timeout(SLOW, reader.reserve()).await {
                Ok(room) => room,
                Err(_) => {
                    self.let_go();
                    reader.reserve().await
                }
            }
            .map_err(|_| Gone)?;
            // The newest may have become so while there was no room; it may also be gone, being made anew.
            let Some(newest) = self.newest.borrow_and_update().clone() else {
                continue;
            };
            let version = match newest {
                Ok(version) => version,
                Err(error) => {
                    room.send(Err(status_of(&error)));
                    return Ok(());
                }
            };
            if let Some(lost) = self.has.lost(&version) {
                // No token: resuming between the loss and the snapshot is a fresh start.
                room.send(Ok(message(Event::Lost(lost), String::new())));
                self.has = Has::Nothing;
                continue;
            }
            let token = self.feed.token(&version);
            let (has, newest) = (self.has.clone(), version.clone());
            let items = newest.graph.nodes.len() + newest.graph.edges.len();
            match made(items, move || event(&has, &newest)).await {
                Ok(Some(event)) => room.send(Ok(message(event, token))),
                // It has the same already.
                Ok(None) => {}
                // What it has stays as it is: a reader that resumes from there misses nothing.
                Err(why) => {
                    room.send(Err(why));
                    return Ok(());
                }
            }
            self.has = Has::Sent(version);
        }
    }

    /// Waits until the newest version is another than the reader has.
    async fn wait_for_news(&mut self) -> Result<(), Gone> {
        let has = match &self.has {
            Has::Sent(version) => Some(version.number),
            Has::Nothing | Has::Slow { .. } | Has::Unknown => None,
        };
        let is_news = |newest: &Option<Result<Arc<Version>, _>>| match newest {
            None => false,
            Some(Ok(version)) => Some(version.number) != has,
            Some(Err(_)) => true,
        };
        self.newest.wait_for(is_news).await.map_err(|_| Gone)?;
        Ok(())
    }

    /// Lets go of what the reader was sent last: else it would be kept for as long as the reader sleeps.
    fn let_go(&mut self) {
        if let Has::Sent(version) = &self.has {
            self.has = Has::Slow {
                sent: version.number,
            };
            self.shared.stats.lost_slow_reader.one();
        }
    }
}

impl Has {
    /// What the reader must be told before it gets a snapshot.
    fn lost(&self, newest: &Version) -> Option<v1::Lost> {
        match self {
            Self::Nothing | Self::Sent(_) => None,
            Self::Slow { sent } => Some(v1::Lost {
                reason: "slow_reader".into(),
                versions: newest.number.saturating_sub(*sent),
            }),
            Self::Unknown => Some(v1::Lost {
                reason: "unknown_token".into(),
                versions: 0,
            }),
        }
    }
}

fn message(event: Event, resume_token: String) -> v1::GraphEvent {
    v1::GraphEvent {
        resume_token,
        event: Some(event),
    }
}

/// What turns what the reader has into `newest`; nothing if that is the same.
fn event(has: &Has, newest: &Version) -> Option<Event> {
    match has {
        Has::Sent(version) if version.number + 1 == newest.number => {
            newest.delta.clone().map(Event::Delta)
        }
        Has::Sent(version) => graph::delta(&version.graph, &newest.graph).map(Event::Delta),
        Has::Nothing | Has::Slow { .. } | Has::Unknown => {
            Some(Event::Snapshot(newest.graph.clone()))
        }
    }
}

/// What `make` makes of so many nodes and edges, on a thread that may block if they are many. A panic there is a bug, and an error
/// here: the reader must not be taken for one that was told.
async fn made<T, F>(items: usize, make: F) -> Result<T, Status>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if items <= ITEMS_IN_PLACE {
        return Ok(make());
    }
    tokio::task::spawn_blocking(make).await.map_err(|error| {
        tracing::error!(%error, "cannot compare two versions of a live graph");
        Status::internal(format!("cannot compare two versions of the graph: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_made_elsewhere_comes_back_and_a_panic_is_an_error() {
        for items in [ITEMS_IN_PLACE, ITEMS_IN_PLACE + 1] {
            assert_eq!(made(items, || 7).await.unwrap(), 7);
        }
        let broken = || -> u8 { panic!("a bug") };
        let status = made(ITEMS_IN_PLACE + 1, broken).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Internal);
        assert!(status.message().contains("a bug"), "{status}");
    }
}
