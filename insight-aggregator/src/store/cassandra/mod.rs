//! Rows in Cassandra: a table of it for each of ours, where a partition is one of a window of a cluster. The only place that names the
//! driver.
//!
//! Nothing is deleted: every table has a time to live. Nothing is written that another write of the same rows would not make the same, so
//! every request can be repeated. `schema` makes the tables, `session` connects, `write` and `journal` put, `windows` lists.

mod access;
mod journal;
mod rows;
pub(super) mod schema;
mod session;
mod url;
mod windows;
mod write;

use std::ops::Bound;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use scylla::client::caching_session::CachingSession;
use scylla::statement::Consistency;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

use super::{Access, MAX_KEY, Put, Row, Scan, Store, Table, WindowId, limits};
use rows::Rows;
use session::statement;
pub(super) use url::SCHEME;
use url::Target;
use write::MAX_REQUEST;

/// Threads that talk to Cassandra: they wait, mostly.
const THREADS: usize = 2;

/// A keyspace's part of one cluster. Several processes may use it.
pub struct Cassandra {
    inner: Arc<Inner>,
    tables: Vec<Table>,
    /// Held while something is put; why nothing is taken any more.
    refused: Mutex<Option<String>>,
    /// Of our own, because callers block, some of them on a runtime's threads.
    runtime: Option<Runtime>,
}

/// What tasks share.
struct Inner {
    session: CachingSession,
    target: Target,
    /// Whose journal is ours.
    writer: String,
    windows: Mutex<windows::Known>,
    /// The newest moment that was used, microseconds since 1970.
    moment: AtomicI64,
}

impl Cassandra {
    /// Connects, checks that the schema has these tables and keeps rows as long as `retention`, and finishes what a writer left half
    /// written. Blocks.
    pub fn open(url: &str, access: &Access, tables: &[Table], retention: Duration) -> Result<Self> {
        let target = Target::parse(url)?;
        let runtime = runtime()?;
        let inner = runtime.block_on(async {
            let session = session::connect(&target, access).await?;
            let found = schema::look(session.get_session(), &target.keyspace, tables).await?;
            found.refuse(url, &target.keyspace, retention)?;
            let writer = target.writer.clone().unwrap_or_else(|| {
                rustix::system::uname()
                    .nodename()
                    .to_string_lossy()
                    .into_owned()
            });
            let inner = Arc::new(Inner {
                session,
                target,
                writer,
                windows: Mutex::default(),
                moment: AtomicI64::new(0),
            });
            // A clock that went back must not let what comes now look older than what is there.
            let newest = inner
                .recover()
                .await
                .context("finishing what was half written")?;
            inner.moment.fetch_max(newest, Ordering::Relaxed);
            inner.register().await?;
            anyhow::Ok(inner)
        })?;
        Ok(Self {
            inner,
            tables: tables.to_vec(),
            refused: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime
            .as_ref()
            .context("it is closed")?
            .block_on(work)
    }

    fn knows(&self, table: &str) -> bool {
        self.tables.iter().any(|known| known.name == table)
    }
}

/// Whether an URL can be used.
pub(super) fn check(url: &str) -> Result<()> {
    Target::parse(url).map(drop)
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("cassandra")
        .enable_all()
        .build()
        .context("cannot start the threads that talk to Cassandra")
}

impl Drop for Cassandra {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on another runtime's.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    fn windows(&self) -> MutexGuard<'_, windows::Known> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many replicas must have rows.
    fn for_rows(&self) -> Consistency {
        match self.target.rows_at_one {
            true => Consistency::LocalOne,
            false => Consistency::LocalQuorum,
        }
    }

    /// Now, and later than all moments before: of two writes the one with the later moment stays.
    fn moment(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let last = self
            .moment
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or(0);
        now.max(last.saturating_add(1))
    }

    async fn put(self: &Arc<Self>, rows: Rows) -> Result<()> {
        self.list_windows(&rows, None).await?;
        let moment = self.moment();
        let mut partitions = rows.0.values();
        let together = partitions
            .next()
            .is_none_or(|rows| Rows::size(rows) + 64 * rows.len() <= MAX_REQUEST)
            && partitions.next().is_none();
        if !together {
            self.note(&rows, moment).await?;
        }
        self.write_rows(rows, moment).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        let (from, before) = bounds(&scan.range);
        let text = format!(
            "SELECT clus, value FROM {}.{} WHERE cluster = ? AND win = ? AND part = ? AND clus >= ?{}{}",
            self.target.keyspace,
            scan.table,
            if before.is_some() {
                " AND clus < ?"
            } else {
                ""
            },
            if scan.reverse {
                " ORDER BY clus DESC"
            } else {
                ""
            },
        );
        let select = statement(text, self.for_rows());
        let window = scan.window.cast_signed();
        let (cluster, partition) = (&self.target.cluster, &scan.partition);
        let pages = match before {
            Some(before) => {
                self.session
                    .execute_iter(select, (cluster, window, partition, from, before))
                    .await
            }
            None => {
                self.session
                    .execute_iter(select, (cluster, window, partition, from))
                    .await
            }
        };
        let mut found = pages?.rows_stream::<(Vec<u8>, Vec<u8>)>()?;
        let mut rows = Vec::new();
        while rows.len() < scan.limit
            && let Some((clustering, value)) = found.next().await.transpose()?
        {
            rows.push(Row { clustering, value });
        }
        Ok(rows)
    }
}

/// The first key of a range, and the first after it. The key that follows another one is that one and a zero byte.
fn bounds(range: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> (Vec<u8>, Option<Vec<u8>>) {
    let after = |key: &[u8]| [key, &[0]].concat();
    // A key that no row can have lies right after what of it a row can have.
    let long = |key: &[u8]| (key.len() > MAX_KEY).then(|| after(&key[..MAX_KEY]));
    let from = match &range.0 {
        Bound::Unbounded => Vec::new(),
        Bound::Included(key) => long(key).unwrap_or_else(|| key.clone()),
        Bound::Excluded(key) => long(key).unwrap_or_else(|| after(key)),
    };
    let before = match &range.1 {
        Bound::Unbounded => None,
        Bound::Included(key) => Some(long(key).unwrap_or_else(|| after(key))),
        Bound::Excluded(key) => Some(long(key).unwrap_or_else(|| key.clone())),
    };
    (from, before)
}

impl Store for Cassandra {
    fn put(&self, batch: Vec<Put>) -> Result<()> {
        limits::check(&batch)?;
        if let Some(put) = batch.iter().find(|put| !self.knows(put.table)) {
            bail!("there is no table {}", put.table);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &*refused {
            bail!("an earlier write failed, restart to go on: {why}");
        }
        let written = self.block_on(self.inner.put(Rows::from(batch)));
        if let Err(error) = &written {
            *refused = Some(format!("{error:#}"));
        }
        written
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>> {
        if scan.is_empty() || self.inner.is_dropped(scan.table, scan.window) {
            return Ok(Vec::new());
        }
        ensure!(self.knows(scan.table), "there is no table {}", scan.table);
        self.block_on(self.inner.scan(scan))
            .with_context(|| format!("reading {}.{} from Cassandra", scan.table, scan.window))
    }

    fn windows(&self, table: &'static str) -> Result<Vec<WindowId>> {
        self.block_on(self.inner.list(table))
            .with_context(|| format!("reading the windows of {table} from Cassandra"))
    }

    fn drop_window(&self, table: &'static str, window: WindowId) -> Result<()> {
        let _writer = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        self.block_on(self.inner.unlist(table, window))
            .with_context(|| format!("dropping {table}.{window} in Cassandra"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_first_key_and_the_first_one_after() {
        let key = |text: &str| text.as_bytes().to_vec();
        let all = bounds(&(Bound::Unbounded, Bound::Unbounded));
        assert_eq!(all, (Vec::new(), None));
        let closed = bounds(&(Bound::Included(key("a")), Bound::Included(key("b"))));
        assert_eq!(closed, (key("a"), Some(key("b\0"))));
        let open = bounds(&(Bound::Excluded(key("a")), Bound::Excluded(key("b"))));
        assert_eq!(open, (key("a\0"), Some(key("b"))));
        let long = "k".repeat(MAX_KEY + 9);
        for bound in [Bound::Included(key(&long)), Bound::Excluded(key(&long))] {
            let (from, before) = bounds(&(bound.clone(), bound));
            assert_eq!(
                from,
                key(&("k".repeat(MAX_KEY) + "\0")),
                "after the longest row"
            );
            assert_eq!(before, Some(from));
        }
    }
}
