//! `TopologyService`: the graph over gRPC.

use std::pin::Pin;

use insight_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use v1::topology_service_server::TopologyService;

use super::compare::diff;
use super::feed::{Feeds, Full, MAX_FEEDS, MAX_SUBSCRIBERS};
use super::history::history;
use super::reader::{ReadError, Reader};
use crate::graph::{Query, QueryError, Steps, Thresholds};
use crate::model::now_ms;

/// Messages that wait for a subscriber inside this process, beyond those in the connection's own buffers. With one, what is
/// sent next is made of the newest version.
const MAX_WAITING_EVENTS: usize = 1;

/// Serves `TopologyService`.
pub struct TopologyApi {
    /// Answers questions.
    pub reader: Reader,
    /// Serves subscribers.
    pub feeds: Feeds,
    /// The subscribers' tasks.
    pub tasks: TaskTracker,
}

#[tonic::async_trait]
impl TopologyService for TopologyApi {
    async fn get_graph(
        &self,
        request: Request<v1::GetGraphRequest>,
    ) -> Result<Response<v1::Graph>, Status> {
        let query = self.parse(&request.into_inner().query.unwrap_or_default())?;
        let graph = self.reader.graph(query).await;
        graph.map(Response::new).map_err(|error| status_of(&error))
    }

    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<v1::GraphEvent, Status>> + Send + 'static>>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let request = request.into_inner();
        let query = request.query.unwrap_or_default();
        refuse_times(&query)?;
        let query = self.parse(&query)?;
        let subscriber = self
            .feeds
            .subscribe(query.part, &request.resume_token)
            .map_err(|full| Status::resource_exhausted(full_message(full)))?;
        let (events, stream) = mpsc::channel(MAX_WAITING_EVENTS);
        self.tasks.spawn(subscriber.run(events));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<v1::GraphDiff>, Status> {
        let request = request.into_inner();
        let after = request.after.unwrap_or_default();
        let before = request.before.unwrap_or_default();
        let before = v1::GraphQuery {
            at: before.at,
            from: before.from,
            to: before.to,
            window: before.window,
            ..after.clone()
        };
        let (before, after) = (self.parse(&before)?, self.parse(&after)?);
        let thresholds =
            Thresholds::from_proto(&request.thresholds).map_err(|error| self.refused(error))?;
        let diff = diff(&self.reader, before, after, thresholds).await;
        diff.map(Response::new).map_err(|error| status_of(&error))
    }

    async fn get_edge_history(
        &self,
        request: Request<v1::EdgeHistoryRequest>,
    ) -> Result<Response<v1::EdgeHistory>, Status> {
        let request = request.into_inner();
        let steps = Steps::parse(&request, now_ms()).map_err(|error| self.refused(error))?;
        let found = history(&self.reader, steps, request.id.clone()).await;
        match found.map_err(|error| status_of(&error))? {
            Some(found) => Ok(Response::new(found)),
            None => {
                let id: String = request.id.chars().take(100).collect();
                Err(Status::not_found(format!("no edge {id:?} in this time")))
            }
        }
    }
}

impl TopologyApi {
    fn parse(&self, query: &v1::GraphQuery) -> Result<Query, Status> {
        Query::parse(query, now_ms()).map_err(|error| self.refused(error))
    }

    fn refused(&self, error: QueryError) -> Status {
        self.reader.stats().bad_queries.one();
        status_of(&error.into())
    }
}

fn refuse_times(query: &v1::GraphQuery) -> Result<(), Status> {
    let fields = [
        ("at", query.at.is_some()),
        ("from", query.from.is_some()),
        ("to", query.to.is_some()),
        ("window", query.window.is_some()),
    ];
    match fields.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => Err(status_of(&ReadError::Query(QueryError {
            field,
            message: "a subscription shows the running 15 minutes".into(),
            hint: "leave it out, or ask GetGraph for the past".into(),
        }))),
    }
}

fn full_message(full: Full) -> String {
    match full {
        Full::Subscribers => format!(
            "{MAX_SUBSCRIBERS} subscribers are there, the limit of one aggregator; try again later"
        ),
        Full::Feeds => format!(
            "{MAX_FEEDS} different parts of the graph are live, the limit of one aggregator; subscribe to a part that \
             others read, for example without filters and focus"
        ),
    }
}

/// Metadata of an answer to a wrong question: the field of `GraphQuery`.
const FIELD: &str = "insight-field";
/// Metadata of an answer to a wrong question: what to write instead, UTF-8, with which the message ends too.
const HINT: &str = "insight-hint-bin";

/// How gRPC says it.
pub(super) fn status_of(error: &ReadError) -> Status {
    match error {
        ReadError::Query(error) => {
            let mut status = Status::invalid_argument(error.to_string());
            let metadata = status.metadata_mut();
            metadata.insert(FIELD, MetadataValue::from_static(error.field));
            let hint = MetadataValue::from_bytes(error.hint.as_bytes());
            metadata.insert_bin(HINT, hint);
            status
        }
        ReadError::Failed(_) => Status::internal(error.to_string()),
    }
}

/// A wrong question, as gRPC said it.
pub(crate) struct WrongQuestion<'s> {
    /// The field.
    pub(crate) field: &'s str,
    /// What is wrong with it.
    pub(crate) message: &'s str,
    /// What to write instead.
    pub(crate) hint: String,
}

/// What [`status_of`] made of a wrong question; nothing if it is another error, or another program's.
pub(crate) fn wrong_question(status: &Status) -> Option<WrongQuestion<'_>> {
    let field = status.metadata().get(FIELD)?.to_str().ok()?;
    let hint = status.metadata().get_bin(HINT)?.to_bytes().ok()?;
    let hint = String::from_utf8(hint.to_vec()).ok()?;
    let message = status.message().strip_prefix(field)?.strip_prefix(": ")?;
    let message = message.strip_suffix(&hint)?.strip_suffix("; ")?;
    Some(WrongQuestion {
        field,
        message,
        hint,
    })
}
