//! Writing rows: partitions side by side, the rows of one together, each again until it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use scylla::errors::ExecutionError;
use scylla::statement::batch::{Batch, BatchType};
use tokio::task::JoinSet;

use super::Inner;
use super::rows::{Place, Rows};
use super::session::{may_pass, statement};

/// Bytes of one request. The rows of a partition up to this are written as one, and so seen as one. Cassandra takes 16 MiB; its limit on
/// batches does not hold for those of one partition.
pub(super) const MAX_REQUEST: usize = 1 << 20;

/// Requests on their way at once.
const IN_FLIGHT: usize = 64;

/// Waits between tries.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How often it is logged that a write does not get through.
const SAY_EVERY: Duration = Duration::from_secs(10);

impl Inner {
    /// Writes all rows at this moment, microseconds since 1970. The same rows with the same moment may be written again.
    pub(super) async fn write_rows(self: &Arc<Self>, rows: Rows, moment: i64) -> Result<()> {
        let mut parts = rows.0.into_iter().flat_map(|(place, rows)| {
            let parts = split(rows);
            parts.into_iter().map(move |part| (place.clone(), part))
        });
        let mut running = JoinSet::new();
        loop {
            while running.len() < IN_FLIGHT
                && let Some((place, rows)) = parts.next()
            {
                let inner = Arc::clone(self);
                running.spawn(async move { inner.write_part(place, rows, moment).await });
            }
            match running.join_next().await {
                Some(written) => written.context("a write broke off")??,
                None => return Ok(()),
            }
        }
    }

    async fn write_part(
        &self,
        (table, window, partition): Place,
        rows: Vec<(Vec<u8>, Vec<u8>)>,
        moment: i64,
    ) -> Result<()> {
        let insert = statement(
            format!(
                "INSERT INTO {}.{table} (cluster, win, part, clus, value) VALUES (?, ?, ?, ?, ?)",
                self.target.keyspace
            ),
            self.for_rows(),
        );
        let insert = self.session.add_prepared_statement(&insert).await;
        let insert = insert.with_context(|| format!("preparing writes of {table}"))?;
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        batch.set_consistency(self.for_rows());
        batch.set_timestamp(Some(moment));
        let mut values = Vec::with_capacity(rows.len());
        for (clustering, value) in &rows {
            batch.append_statement(insert.clone());
            values.push((
                &self.target.cluster,
                window.cast_signed(),
                &partition,
                clustering,
                value,
            ));
        }
        persist(
            &format!("writing {} rows of {table}", rows.len()),
            || async {
                self.session
                    .get_session()
                    .batch(&batch, &values)
                    .await
                    .map(drop)
            },
        )
        .await
    }
}

/// The rows of a partition in requests of a size that Cassandra takes.
fn split(rows: BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut parts: Vec<Vec<_>> = Vec::new();
    let mut room = 0;
    for (clustering, value) in rows {
        // A row's own names and lengths, too.
        let size = clustering.len() + value.len() + 64;
        match parts.last_mut() {
            Some(part) if size <= room => part.push((clustering, value)),
            _ => {
                parts.push(vec![(clustering, value)]);
                room = MAX_REQUEST;
            }
        }
        room = room.saturating_sub(size);
    }
    parts
}

/// Tries until it works or can never work: who writes has nowhere else to put it, and what is only half written must become whole.
pub(super) async fn persist<F, R>(what: &str, mut attempt: F) -> Result<()>
where
    F: FnMut() -> R,
    R: Future<Output = Result<(), ExecutionError>>,
{
    let begun = Instant::now();
    let (mut wait, mut said) = (FIRST_WAIT, begun);
    loop {
        match attempt().await {
            Ok(()) if said == begun => return Ok(()),
            Ok(()) => {
                tracing::info!(
                    seconds = begun.elapsed().as_secs(),
                    "Cassandra takes writes again"
                );
                return Ok(());
            }
            Err(error) if may_pass(&error) => {
                if said.elapsed() >= SAY_EVERY {
                    said = Instant::now();
                    let error = error.to_string();
                    tracing::warn!(
                        error,
                        seconds = begun.elapsed().as_secs(),
                        "Cassandra does not take writes, trying again: {what}"
                    );
                }
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "{what}: Cassandra refuses it, and the store takes no more until it is opened again; \
                         `insight-aggregator schema check` shows whether tables and rights are as they must be"
                    )
                });
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
