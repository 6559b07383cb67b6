//! The last report of each node before a time, so that a range which begins with silence can say so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;

use super::sequences::Sequences;
use super::state::{Agent, minutes_of, span_of};
use super::stored::{Known, Stored};
use crate::model::{Coverage, LOOK_BACK_MS, Minute, UnixMs};
use crate::store::WindowId;

/// A report's end may be ahead of the clock that noted when it came: `MAX_AHEAD` of the plan, and a clock that was set.
const CLOCKS_DIFFER: i64 = 60_000;

/// Nodes that are looked for one by one. All but a few are in the newest minute; for the others a day of minutes is read, of
/// which every minute holds thousands of nodes in a large cluster.
const FEW: usize = 16;

/// The last report of each node before a time: at most one a node that the retention knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Earlier(HashMap<Arc<str>, Coverage>);

/// The oldest minute that is looked at for a range that starts with `first`.
fn oldest(first: Minute) -> Minute {
    Minute(first.0 - LOOK_BACK_MS / 60_000)
}

impl Earlier {
    /// What a store knows of the time before `first`, newest minute first, until each node is found that can be. A minute that
    /// cannot be read is passed over: it is not what was asked for.
    pub(super) fn load(
        stored: &Stored<'_>,
        spans: &[WindowId],
        first: Minute,
        mut missing: HashSet<Arc<str>>,
        known: &mut Known,
    ) -> Self {
        let mut earlier = Self::default();
        let touched = span_of(oldest(first))..=span_of(first);
        let minutes = spans
            .iter()
            .rev()
            .filter(|span| touched.contains(span))
            .flat_map(|span| minutes_of(*span).rev())
            .filter(|minute| (oldest(first)..first).contains(minute));
        for minute in minutes {
            if missing.is_empty() {
                break;
            }
            if let Err(error) = earlier.look(stored, minute, &missing, known) {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot see who reported before a time range"
                );
            }
            missing.retain(|node| !earlier.0.contains_key(node));
        }
        earlier
    }

    fn look(
        &mut self,
        stored: &Stored<'_>,
        minute: Minute,
        missing: &HashSet<Arc<str>>,
        known: &mut Known,
    ) -> Result<()> {
        if missing.len() > FEW {
            self.note(&stored.coverage_of(minute, None, known)?);
        } else {
            for node in missing {
                self.note(&stored.coverage_of(minute, Some(node), known)?);
            }
        }
        Ok(())
    }

    /// Takes in one minute's reports, in any order of minutes.
    pub(super) fn note<'c>(
        &mut self,
        coverage: impl IntoIterator<Item = (&'c Agent, &'c Vec<Coverage>)>,
    ) {
        for ((node, _), reports) in coverage {
            let Some(last) = reports.iter().max_by_key(|report| ends(report)) else {
                continue;
            };
            let known = self.0.entry(Arc::clone(node)).or_insert(*last);
            if ends(known) < ends(last) {
                *known = *last;
            }
        }
    }

    /// Lets go of what is too old for a range that starts with `first`.
    pub(super) fn forget_before(&mut self, first: Minute) {
        self.keep_after(oldest(first).start());
    }

    /// Lets go of reports that ended at `moment` or earlier.
    pub(super) fn keep_after(&mut self, moment: UnixMs) {
        self.0.retain(|_, report| report.to > moment);
    }

    /// The answer for a window.
    pub(super) fn by_node(self) -> BTreeMap<String, Coverage> {
        let named = self.0.into_iter();
        named
            .map(|(node, report)| (node.as_ref().to_owned(), report))
            .collect()
    }
}

/// Of two reports the one that ends last; a report of an empty time comes after what it follows.
fn ends(report: &Coverage) -> (UnixMs, UnixMs) {
    (report.to, report.from)
}

/// The nodes that may have reported in the minutes before `first`.
pub(super) fn expected(sequences: &Sequences, first: Minute) -> HashSet<Arc<str>> {
    let since = oldest(first).start().saturating_sub(CLOCKS_DIFFER);
    let nodes = sequences.nodes.iter().filter(|(_, node)| node.at > since);
    nodes.map(|(name, _)| Arc::clone(name)).collect()
}
