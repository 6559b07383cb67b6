//! Makes the batches of all agents durable together: what arrives while the disk is busy shares the next write.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::stats::IngestStats;
use crate::ledger::{Ledger, Outcome};
use crate::model::{Report, now_ms};

/// Batches that wait for the disk. One batch of each agent may wait, and an agent waits for room here rather than in memory;
/// 64 batches of a busy node (5,000 rows, 1 MiB) are 64 MiB.
const MAX_WAITING: usize = 64;
/// Batches of one commit: all that can wait.
const MAX_GROUP: usize = MAX_WAITING;
/// Rows of one commit, so that one commit stays far below a second; a larger batch is committed alone.
const MAX_GROUP_ROWS: usize = 200_000;

/// The batch was not made durable; the agent is to send it again.
#[derive(Clone, Debug)]
pub struct NotDurable(pub String);

struct Commit {
    report: Report,
    done: oneshot::Sender<Result<Outcome, NotDurable>>,
}

enum Job {
    Commit(Commit),
    /// Told when everything before it is settled.
    Barrier(oneshot::Sender<()>),
}

/// Hands batches to the committing thread. The thread ends when the last clone is gone.
#[derive(Clone)]
pub struct Committer {
    jobs: mpsc::Sender<Job>,
}

impl Committer {
    /// Starts the committing thread. Join it after all committers are dropped to be sure that everything is written.
    pub fn start(
        ledger: Arc<Ledger>,
        stats: Arc<IngestStats>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || run(&ledger, &stats, waiting))?;
        Ok((Self { jobs }, thread))
    }

    /// Waits for room, then until the batch is durable or known not to be.
    pub async fn commit(&self, report: Report) -> Result<Outcome, NotDurable> {
        let gone = || NotDurable("the committing thread has ended".into());
        let (done, outcome) = oneshot::channel();
        let job = Job::Commit(Commit { report, done });
        self.jobs.send(job).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// Waits until every batch that was handed over before is durable or known not to be.
    pub async fn settle(&self) {
        let (done, settled) = oneshot::channel();
        if self.jobs.send(Job::Barrier(done)).await.is_ok() {
            // The thread that is gone commits nothing more either.
            let _ = settled.await;
        }
    }

    /// Whether the committing thread runs.
    pub fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }
}

fn run(ledger: &Ledger, stats: &IngestStats, mut waiting: mpsc::Receiver<Job>) {
    while let Some(first) = waiting.blocking_recv() {
        let group = Group::gather(first, &mut waiting);
        if !group.commits.is_empty() {
            commit_group(ledger, stats, group.commits);
        }
        for barrier in group.barriers {
            let _ = barrier.send(());
        }
    }
}

/// What is settled together.
#[derive(Default)]
struct Group {
    commits: Vec<Commit>,
    barriers: Vec<oneshot::Sender<()>>,
}

impl Group {
    /// What waits, up to the limits.
    fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> Self {
        let (mut group, mut rows) = (Self::default(), 0);
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Commit(commit) => {
                    rows += commit.report.rows.len();
                    group.commits.push(commit);
                }
                Job::Barrier(barrier) => group.barriers.push(barrier),
            }
            let has_room = group.commits.len() < MAX_GROUP && rows < MAX_GROUP_ROWS;
            next = has_room.then(|| waiting.try_recv().ok()).flatten();
        }
        group
    }
}

fn commit_group(ledger: &Ledger, stats: &IngestStats, commits: Vec<Commit>) {
    let (reports, waiters): (Vec<_>, Vec<_>) = commits
        .into_iter()
        .map(|commit| (commit.report, commit.done))
        .unzip();
    let rows: Vec<u64> = reports
        .iter()
        .map(|report| report.rows.len() as u64)
        .collect();
    let started = Instant::now();
    let result = ledger.commit(reports, now_ms());
    stats.commits.add(started.elapsed());
    match result {
        Ok(outcomes) => {
            for ((outcome, done), rows) in outcomes.into_iter().zip(waiters).zip(rows) {
                match outcome {
                    Outcome::Stored => {
                        stats.stored.one();
                        stats.rows.add(rows);
                    }
                    Outcome::Duplicate => stats.duplicates.one(),
                    Outcome::Gap { .. } => stats.gaps.one(),
                }
                // A waiter that is gone lost its stream; its agent will send the batch again and be told "duplicate".
                let _ = done.send(Ok(outcome));
            }
        }
        Err(error) => {
            stats.failed.add(waiters.len() as u64);
            tracing::error!(
                batches = waiters.len(),
                error = format!("{error:#}"),
                "cannot make batches durable; the agents keep them and send them again"
            );
            for done in waiters {
                let _ = done.send(Err(NotDurable(format!("{error:#}"))));
            }
        }
    }
}
