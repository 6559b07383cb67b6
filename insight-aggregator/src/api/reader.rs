//! Answers one question with one graph, away from the threads that serve connections.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use insight_proto::v1;
use tokio::sync::Semaphore;

use super::edge::only_edge;
use super::stats::ApiStats;
use crate::graph::{self, Query, QueryError, Range};
use crate::history::{Names, NamesOf};
use crate::kubernetes::Directory;
use crate::ledger::Ledger;
use crate::model::{Eras, Level, Window};

/// Why there is no graph.
#[derive(Clone, Debug)]
pub enum ReadError {
    /// The question is wrong.
    Query(QueryError),
    /// Something failed here.
    Failed(String),
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(error) => error.fmt(out),
            Self::Failed(why) => write!(out, "cannot read the graph: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Makes graphs of what the ledger knows.
#[derive(Clone)]
pub struct Reader {
    ledger: Arc<Ledger>,
    names: Names,
    stats: Arc<ApiStats>,
    /// Graphs that are made at the same time: each is one busy core and one window in memory.
    at_once: Arc<Semaphore>,
}

impl Reader {
    /// A reader that makes at most one graph a core at the same time.
    pub fn new(ledger: Arc<Ledger>, names: impl Into<Names>, stats: Arc<ApiStats>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            ledger,
            names: names.into(),
            stats,
            at_once: Arc::new(Semaphore::new(cores)),
        }
    }

    /// What is durable.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// What Kubernetes says now.
    pub fn directory(&self) -> &Directory {
        self.names.directory()
    }

    /// What it says, and what it said.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What is counted.
    pub fn stats(&self) -> &Arc<ApiStats> {
        &self.stats
    }

    /// The graph that `query` asks for.
    pub async fn graph(&self, query: Query) -> Result<v1::Graph, ReadError> {
        self.blocking(move |reader| reader.build(&query)).await
    }

    /// The graph of the first of these levels that has the edge, cut down to it and its two nodes. `query` says the rest.
    ///
    /// Errors: as [`Self::graph`] at the first level, if the question is wrong at each.
    pub async fn edge(
        &self,
        query: Query,
        levels: Vec<Level>,
        id: String,
    ) -> Result<Option<v1::Graph>, ReadError> {
        self.blocking(move |reader| reader.find(&query, &levels, &id))
            .await
    }

    fn find(
        &self,
        query: &Query,
        levels: &[Level],
        id: &str,
    ) -> Result<Option<v1::Graph>, ReadError> {
        let started = Instant::now();
        let names = names_of(&self.names, query)?;
        let window = window_of(&self.ledger, &names, query)?;
        let index = names.read();
        let mut wrong = None;
        let mut is_right = false;
        for &level in levels {
            let mut query = query.clone();
            query.part.level = level;
            match graph::build(&window, &query, &index).map(|graph| only_edge(graph, id)) {
                Ok(None) => is_right = true,
                Ok(found) => {
                    self.stats.builds.add(started.elapsed());
                    return Ok(found);
                }
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
        self.stats.builds.add(started.elapsed());
        match wrong {
            Some(error) if !is_right => Err(error.into()),
            _ => Ok(None),
        }
    }

    /// Runs `work` on a thread that may block, when it is its turn.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, ReadError> + Send + 'static,
    {
        let turn = Arc::clone(&self.at_once)
            .acquire_owned()
            .await
            .map_err(|error| ReadError::Failed(error.to_string()))?;
        let reader = self.clone();
        let result = tokio::task::spawn_blocking(move || {
            // The turn lasts as long as the work, even if nobody waits for it any more.
            let _turn = turn;
            work(&reader)
        })
        .await
        .unwrap_or_else(|error| Err(ReadError::Failed(error.to_string())));
        match &result {
            Ok(_) => {}
            Err(ReadError::Query(_)) => self.stats.bad_queries.one(),
            Err(ReadError::Failed(why)) => {
                self.stats.failed_queries.one();
                tracing::error!(error = why, "cannot read the graph");
            }
        }
        result
    }

    fn build(&self, query: &Query) -> Result<v1::Graph, ReadError> {
        let started = Instant::now();
        let graph = graph_of(&self.ledger, &self.names, query);
        self.stats.builds.add(started.elapsed());
        graph
    }
}

/// The graph that `query` asks for, with the names of its time. Blocks.
pub fn graph_of(ledger: &Ledger, names: &Names, query: &Query) -> Result<v1::Graph, ReadError> {
    let names = names_of(names, query)?;
    let window = window_of(ledger, &names, query)?;
    Ok(graph::build(&window, query, &names.read())?)
}

fn names_of(names: &Names, query: &Query) -> Result<NamesOf, ReadError> {
    let Range { from, to } = query.range;
    names.of(from, to).map_err(failed)
}

fn window_of(ledger: &Ledger, names: &NamesOf, query: &Query) -> Result<Window, ReadError> {
    let Range { from, to } = query.range;
    let eras = Eras::new(names.read().changes_of_addresses(from, to));
    ledger.window_of(from, to, &eras).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is an error's end")]
fn failed(error: anyhow::Error) -> ReadError {
    ReadError::Failed(format!("{error:#}"))
}
