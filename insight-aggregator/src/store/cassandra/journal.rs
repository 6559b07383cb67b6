//! What makes a batch whole: it is written to the journal of its writer first, as one value, and then row by row.
//!
//! Cassandra writes the rows of one partition together, but not those of several. A writer that dies in between leaves its batch in the
//! journal, and whoever opens the store next writes it again, with the same moment, so that nothing newer is replaced. A writer has one entry, which
//! its next batch replaces: after each batch all that is in the journal is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use scylla::statement::Consistency;
use tokio_stream::StreamExt as _;

use super::Inner;
use super::rows::Rows;
use super::session::statement;
use super::write::{MAX_REQUEST, persist};

impl Inner {
    /// Keeps a batch that is about to be written at this moment, or nothing of it.
    pub(super) async fn note(&self, rows: &Rows, moment: i64) -> Result<()> {
        let bytes = rows.encode();
        let chunks: Vec<&[u8]> = bytes.chunks(MAX_REQUEST).collect();
        let count = i32::try_from(chunks.len()).context("the batch is too large")?;
        let insert = statement(
            format!(
                "INSERT INTO {}.journal (cluster, writer, chunk, moment, chunks, data) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        for (number, data) in (0_i32..).zip(chunks) {
            let values = (
                &self.target.cluster,
                &self.writer,
                number,
                moment,
                count,
                data,
                moment,
            );
            persist("writing to the journal", || async {
                self.session
                    .execute_unpaged(insert.clone(), &values)
                    .await
                    .map(drop)
            })
            .await?;
        }
        Ok(())
    }

    /// Says that this writer has a journal.
    pub(super) async fn register(&self) -> Result<()> {
        let insert = statement(
            format!(
                "INSERT INTO {}.writer (cluster, name) VALUES (?, ?)",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        persist("registering as a writer", || async {
            self.session
                .execute_unpaged(insert.clone(), (&self.target.cluster, &self.writer))
                .await
                .map(drop)
        })
        .await
    }

    /// Writes again what any writer may have left half written, and gives the newest moment that was used.
    pub(super) async fn recover(self: &Arc<Self>) -> Result<i64> {
        let select = statement(
            format!(
                "SELECT name FROM {}.writer WHERE cluster = ?",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        let pages = self
            .session
            .execute_iter(select, (&self.target.cluster,))
            .await?;
        let mut writers = pages.rows_stream::<(String,)>()?;
        let mut newest = 0;
        while let Some((writer,)) = writers.next().await.transpose()? {
            if let Some((moment, bytes)) = self.entry(&writer).await? {
                newest = newest.max(moment);
                let rows = Rows::decode(&bytes)
                    .with_context(|| format!("reading the journal of {writer}"))?;
                self.list_windows(&rows, Some(moment)).await?;
                self.write_rows(rows, moment).await?;
            }
        }
        Ok(newest)
    }

    /// The entry of a writer, if it was written wholly.
    async fn entry(&self, writer: &str) -> Result<Option<(i64, Vec<u8>)>> {
        let select = statement(
            format!(
                "SELECT chunk, moment, chunks, data FROM {}.journal WHERE cluster = ? AND writer = ?",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        let pages = self
            .session
            .execute_iter(select, (&self.target.cluster, writer))
            .await?;
        let mut rows = pages.rows_stream::<(i32, i64, i32, Vec<u8>)>()?;
        let mut chunks = BTreeMap::new();
        while let Some((chunk, moment, count, data)) = rows.next().await.transpose()? {
            chunks.insert(
                chunk,
                Chunk {
                    moment,
                    count,
                    data,
                },
            );
        }
        Ok(whole(&chunks))
    }
}

struct Chunk {
    moment: i64,
    count: i32,
    data: Vec<u8>,
}

/// The entry that the first chunk begins, if all of it is there; later chunks may be of an older, longer one.
fn whole(chunks: &BTreeMap<i32, Chunk>) -> Option<(i64, Vec<u8>)> {
    let first = chunks.get(&0)?;
    let (moment, count) = (first.moment, first.count);
    let mut bytes = Vec::new();
    for number in 0..count {
        let chunk = chunks.get(&number).filter(|chunk| chunk.moment == moment)?;
        bytes.extend_from_slice(&chunk.data);
    }
    Some((moment, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_entry_that_was_written_wholly_counts() {
        let entry = |list: &[(i32, i64, i32, &str)]| {
            let chunks = list.iter().map(|(number, moment, count, data)| {
                let chunk = Chunk {
                    moment: *moment,
                    count: *count,
                    data: data.as_bytes().to_vec(),
                };
                (*number, chunk)
            });
            whole(&chunks.collect())
        };
        let found = |moment, text: &str| Some((moment, text.as_bytes().to_vec()));
        assert_eq!(entry(&[]), None);
        assert_eq!(entry(&[(0, 7, 1, "a")]), found(7, "a"));
        assert_eq!(
            entry(&[(0, 7, 2, "a"), (1, 7, 2, "b"), (2, 3, 3, "old")]),
            found(7, "ab")
        );
        assert_eq!(
            entry(&[(0, 7, 2, "a"), (1, 3, 3, "old"), (2, 3, 3, "old")]),
            None
        );
        assert_eq!(entry(&[(0, 7, 2, "a")]), None);
    }
}
