//! Which windows there are: a row each, which outlives the window's rows and is forgotten with them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use scylla::statement::Consistency;
use tokio_stream::StreamExt as _;

use super::Inner;
use super::rows::Rows;
use super::session::statement;
use super::write::persist;
use crate::store::WindowId;

/// A window that rows are written to is listed anew after so long, so that its row is kept longer than these.
const LIST_AGAIN: Duration = Duration::from_secs(3_600);

/// What this process knows of windows.
#[derive(Default)]
pub(super) struct Known(HashMap<(String, WindowId), State>);

enum State {
    /// Listed by us, then.
    Listed(Instant),
    Dropped,
}

impl Inner {
    /// Makes sure that the windows of these rows are listed, before there are rows in them. `moment` is that of rows which are written again:
    /// a window that was dropped since stays so.
    pub(super) async fn list_windows(&self, rows: &Rows, moment: Option<i64>) -> Result<()> {
        let mut windows: Vec<(&str, WindowId)> = rows
            .0
            .keys()
            .map(|(table, window, _)| (table.as_str(), *window))
            .collect();
        windows.dedup();
        for (table, window) in windows {
            let place = (table.to_owned(), window);
            let fresh = |state: &State| matches!(state, State::Listed(since) if since.elapsed() < LIST_AGAIN);
            if moment.is_none() && self.windows().0.get(&place).is_some_and(fresh) {
                continue;
            }
            let at = moment.unwrap_or_else(|| self.moment());
            self.set_window(table, window, false, at).await?;
            if moment.is_none() {
                self.windows()
                    .0
                    .insert(place, State::Listed(Instant::now()));
            }
        }
        Ok(())
    }

    /// Leaves a window out of the list. Its rows go by themselves, when their time is over.
    pub(super) async fn unlist(&self, table: &str, window: WindowId) -> Result<()> {
        if self.list(table).await?.contains(&window) {
            self.set_window(table, window, true, self.moment()).await?;
        }
        self.windows()
            .0
            .insert((table.to_owned(), window), State::Dropped);
        Ok(())
    }

    /// Whether this process knows that a window was dropped.
    pub(super) fn is_dropped(&self, table: &str, window: WindowId) -> bool {
        matches!(
            self.windows().0.get(&(table.to_owned(), window)),
            Some(State::Dropped)
        )
    }

    async fn set_window(
        &self,
        table: &str,
        window: WindowId,
        dropped: bool,
        moment: i64,
    ) -> Result<()> {
        let insert = statement(
            format!(
                "INSERT INTO {}.windows (cluster, tbl, win, dropped) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        let values = (
            &self.target.cluster,
            table,
            window.cast_signed(),
            dropped,
            moment,
        );
        persist("listing a window", || async {
            self.session
                .execute_unpaged(insert.clone(), &values)
                .await
                .map(drop)
        })
        .await
    }

    /// The windows of a table that were not dropped, oldest first.
    pub(super) async fn list(&self, table: &str) -> Result<Vec<WindowId>> {
        let select = statement(
            format!(
                "SELECT win, dropped FROM {}.windows WHERE cluster = ? AND tbl = ?",
                self.target.keyspace
            ),
            Consistency::LocalQuorum,
        );
        let pages = self
            .session
            .execute_iter(select, (&self.target.cluster, table))
            .await?;
        let mut rows = pages.rows_stream::<(i64, bool)>()?;
        let mut windows = Vec::new();
        while let Some((window, dropped)) = rows.next().await.transpose()? {
            if !dropped {
                windows.push(window.cast_unsigned());
            }
        }
        windows.sort_unstable();
        Ok(windows)
    }
}
