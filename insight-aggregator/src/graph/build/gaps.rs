//! What in the range was not seen.

use std::collections::BTreeSet;

use insight_proto::v1;

use crate::graph::query::time::to_proto;
use crate::model::{Coverage, UnixMs, Window};

/// Reports may be this many intervals apart before that is a gap: one can be late, one can be lost and sent again.
const INTERVALS: i64 = 3;
/// The shortest silence that is a gap, milliseconds: with very short intervals a busy node would be one all the time.
const SHORTEST_SILENCE: i64 = 15_000;
/// The longest report that is as good as any: rows are kept by the minute anyway. Milliseconds.
const LONGEST_FINE: i64 = 60_000;
/// How long before the range an agent may have been told to stop and still be missed, milliseconds: an upgrade that went wrong
/// shows, and the nodes that a cluster lets go every night are not listed until the next one.
const STOPPED_IS_EXPECTED: i64 = 3_600_000;

/// A gap while it is worked out.
struct Found {
    from: UnixMs,
    to: UnixMs,
    reason: &'static str,
    detail: String,
}

/// The gaps of every node that reported in the window or not too long before, in order of time.
pub(super) fn gaps(window: &Window) -> Vec<v1::Gap> {
    let nodes: BTreeSet<&String> = window.coverage.keys().chain(window.before.keys()).collect();
    let mut all: Vec<(Found, &str)> = nodes
        .into_iter()
        .flat_map(|node| {
            let before = window
                .before
                .get(node)
                .filter(|last| !last.stopping || window.from - last.to <= STOPPED_IS_EXPECTED);
            let before = before.into_iter();
            let reports = before.chain(window.coverage.get(node).into_iter().flatten());
            let reports: Vec<Coverage> = reports.copied().collect();
            [silent, coarse, blind, dropped]
                .into_iter()
                .flat_map(move |find| find(&reports, window.to))
                .map(move |found| (found, node.as_str()))
        })
        .collect();
    for (found, _) in &mut all {
        found.from = found.from.max(window.from);
        found.to = found.to.min(window.to);
    }
    all.retain(|(found, _)| found.from < found.to);
    all.sort_by(|(a, on_a), (b, on_b)| (a.from, on_a, a.reason).cmp(&(b.from, on_b, b.reason)));
    if window.coverage.is_empty() && window.from < window.to {
        let (reason, detail) = if window.to <= window.kept_from {
            (
                "not_kept",
                "what was counted so long ago has been dropped, see --retention",
            )
        } else {
            ("no_agent", "no agent reported in this time")
        };
        let nobody = Found {
            from: window.from,
            to: window.to,
            reason,
            detail: detail.to_owned(),
        };
        all.push((nobody, ""));
    }
    all.into_iter()
        .map(|(found, node)| v1::Gap {
            node: node.to_owned(),
            from: Some(to_proto(found.from)),
            to: Some(to_proto(found.to)),
            reason: found.reason.to_owned(),
            detail: found.detail,
        })
        .collect()
}

/// Times without a report, between two or after the last. What was before the first is no gap: the node is new, or was away for
/// longer than anybody waits for it.
fn silent(coverage: &[Coverage], end: UnixMs) -> Vec<Found> {
    let mut found = Vec::new();
    let mut last: Option<Coverage> = None;
    for one in coverage {
        if let Some(last) = last {
            found.extend(silence(&last, one.from, true));
        }
        // A report of an earlier start of the agent may end later than the one after it.
        last = Some(match last {
            Some(last) if last.to > one.to => Coverage {
                interval_ms: one.interval_ms,
                ..last
            },
            _ => *one,
        });
    }
    found.extend(last.and_then(|last| silence(&last, end, false)));
    found
}

/// The time from a report to the next one, or to the end of the range, if that is too long.
fn silence(last: &Coverage, until: UnixMs, is_back: bool) -> Option<Found> {
    let silence = until - last.to;
    let (reason, detail) = if last.stopping {
        // However short it is: an agent that goes on with what was counted meanwhile says so by covering that time.
        let past = length(silence);
        let detail = if is_back {
            format!(
                "the agent was told to stop, and started again after {past}; nothing was counted meanwhile"
            )
        } else {
            format!(
                "the agent was told to stop, and was not started again for {past}; what the kernel counts meanwhile, where that is pinned, follows when it is"
            )
        };
        (silence > 0).then_some(("agent_stopped", detail))?
    } else {
        let usual = (INTERVALS * i64::from(last.interval_ms)).max(SHORTEST_SILENCE);
        let detail = format!("no report for {}", length(silence));
        (silence > usual).then_some(("agent_silent", detail))?
    };
    Some(Found {
        from: last.to,
        to: until,
        reason,
        detail,
    })
}

/// "90 s", "5 min", "3 h": for people, who need no more of a long time.
fn length(ms: i64) -> String {
    let seconds = ms / 1000;
    match seconds {
        ..300 => format!("{seconds} s"),
        300..18_000 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Reports that cover so long that when things happened in it is not known.
fn coarse(coverage: &[Coverage], _: UnixMs) -> Vec<Found> {
    coverage
        .iter()
        .filter(|one| {
            one.to - one.from > (INTERVALS * i64::from(one.interval_ms)).max(LONGEST_FINE)
        })
        .map(|one| Found {
            from: one.from,
            to: one.to,
            reason: "coarse",
            detail: format!(
                "one report covers {}: everything is counted, but as if it had happened at the end",
                length(one.to - one.from)
            ),
        })
        .collect()
}

/// Times without the bytes of open connections.
fn blind(coverage: &[Coverage], _: UnixMs) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut was_blind = false;
    for one in coverage {
        match found.last_mut() {
            Some(last) if was_blind && !one.live_readout => last.to = last.to.max(one.to),
            _ if !one.live_readout => found.push(Found {
                from: one.from,
                to: one.to,
                reason: "no_live_readout",
                detail: "bytes of open connections are not read on this node: they arrive when the connection closes".to_owned(),
            }),
            _ => {}
        }
        was_blind = !one.live_readout;
    }
    found
}

/// What found no room in the flow map. What the first report counts may be older than it.
fn dropped(coverage: &[Coverage], _: UnixMs) -> Vec<Found> {
    let mut total = 0_u64;
    let mut times: Option<(UnixMs, UnixMs)> = None;
    for (before, after) in coverage.iter().zip(coverage.iter().skip(1)) {
        // The count starts at 0 again with the agent.
        let more = after
            .dropped_updates
            .checked_sub(before.dropped_updates)
            .unwrap_or(after.dropped_updates);
        if more > 0 {
            total = total.saturating_add(more);
            let from = times.map_or(after.from, |(from, _)| from);
            times = Some((from, after.to));
        }
    }
    times
        .map(|(from, to)| Found {
            from,
            to,
            reason: "dropped_updates",
            detail: format!(
                "the agent's flow map was full: {total} times a connection opened, closed or failed whose flow found no room; these are counted together, from \"overflow\" to itself (see --max-flows)"
            ),
        })
        .into_iter()
        .collect()
}
