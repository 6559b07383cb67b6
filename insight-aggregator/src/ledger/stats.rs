//! The ledger's own numbers.

use std::ops::AddAssign;

/// The ledger's own numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Minutes that are answered from memory.
    pub minutes_in_memory: usize,
    /// Rows of those minutes.
    pub rows_in_memory: usize,
    /// Entities of the spans that those minutes are in.
    pub entities_in_memory: usize,
    /// Rows of [`super::Totals`].
    pub total_rows: usize,
    /// Nodes whose sequences are known.
    pub nodes: usize,
    /// Spans that the store has rows of.
    pub windows: usize,
    /// Changes of rows that [`super::Totals`] had no room for, since this process started.
    pub total_rows_overflowed: u64,
    /// What happened since this process started.
    pub counts: Counts,
}

/// What happened since this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes to the store.
    pub commits: u64,
    /// Reports stored.
    pub reports: u64,
    /// Rows of stored reports.
    pub rows: u64,
    /// Reports that were durable already.
    pub duplicates: u64,
    /// Reports refused because one before them was missing.
    pub gaps: u64,
    /// Reports older than the retention, of which only the sequence was kept.
    pub late_reports: u64,
    /// Rows of those.
    pub late_rows: u64,
    /// Reports that ended in the future and were taken as of now.
    pub future_reports: u64,
    /// Coverages joined with the one before because a minute had too many.
    pub coverages_joined: u64,
    /// Rows stored with their whole key because their span has no number left.
    pub unnumbered_rows: u64,
    /// Dialed addresses of rows that had no room for more.
    pub dialed_lost: u64,
    /// Windows of all tables dropped because the retention was over.
    pub windows_dropped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.commits += more.commits;
        self.reports += more.reports;
        self.rows += more.rows;
        self.duplicates += more.duplicates;
        self.gaps += more.gaps;
        self.late_reports += more.late_reports;
        self.late_rows += more.late_rows;
        self.future_reports += more.future_reports;
        self.coverages_joined += more.coverages_joined;
        self.unnumbered_rows += more.unnumbered_rows;
        self.dialed_lost += more.dialed_lost;
        self.windows_dropped += more.windows_dropped;
    }
}
