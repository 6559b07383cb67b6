//! Which snapshots and changes make the index of a past time range, and of which times nothing is known.

use insight_proto::storage::{Manifest, Recorded};

use crate::kubernetes::Unrecorded;
use crate::model::UnixMs;

/// What went away shortly before a range is still told of in it, by agents that report late. So replay begins earlier, milliseconds.
pub(super) const LOOK_BACK: i64 = 600_000;
/// How long names are taken for what they were when nothing is heard any more, milliseconds. A graph after that has none rather than old ones.
const MAX_STALE: i64 = 3_600_000;

/// How to make the index of a time range.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Where replay starts; none: with nothing.
    pub(super) base: Option<Manifest>,
    /// Snapshots after times of which nothing is known: what is not in them is gone.
    pub(super) lists: Vec<Manifest>,
    /// The first snapshot after a range whose end is not known: it tells of what was there already.
    pub(super) ahead: Option<Manifest>,
    /// Times within the range of which changes may be missing.
    pub(super) unrecorded: Vec<Unrecorded>,
}

/// Decides it, from all complete snapshots and recorded times of the neighbourhood, in any order. None: nothing was ever recorded before the end of the
/// range, nor later.
pub(super) fn plan(
    mut manifests: Vec<Manifest>,
    recorded: &[Recorded],
    from: UnixMs,
    to: UnixMs,
) -> Option<Plan> {
    manifests.sort_by_key(|manifest| (manifest.at, manifest.writer));
    let recorded = union(recorded);
    let before = |until: UnixMs| manifests.partition_point(|manifest| manifest.at <= until);
    let ahead = || manifests.get(before(to)).cloned();
    let known = &manifests[..before(to)];
    let base = match before(from - LOOK_BACK) {
        0 => known.first(),
        found => known.get(found - 1),
    };
    let Some(base) = base else {
        let ahead = ahead()?;
        return Some(Plan {
            unrecorded: vec![Unrecorded { from, to }],
            ahead: Some(ahead),
            ..Plan::default()
        });
    };
    let holes = holes(&recorded, base.at.min(from), to);
    let ended = |from: UnixMs, at: UnixMs| manifests.iter().find(|it| it.at > from && it.at >= at);
    let mut plan = Plan {
        base: Some(base.clone()),
        ..Plan::default()
    };
    for hole in holes {
        // What was known before is too old for this range, or for what follows.
        let is_stale = hole.to.min(from) - hole.from > MAX_STALE;
        if is_stale {
            plan.base = None;
            plan.lists.clear();
        }
        match ended(hole.from, hole.to).filter(|it| it.at <= to) {
            Some(list) => plan.lists.push(list.clone()),
            None => plan.ahead = ahead(),
        }
        if hole.to > from {
            plan.unrecorded.push(Unrecorded {
                from: hole.from.max(from),
                to: hole.to,
            });
        }
    }
    plan.lists.retain(|list| list.at > base.at);
    plan.lists.dedup();
    Some(plan)
}

/// Times that touch become one, in order.
fn union(recorded: &[Recorded]) -> Vec<Recorded> {
    let mut sorted: Vec<Recorded> = recorded.to_vec();
    sorted.sort_by_key(|time| time.from);
    let mut all: Vec<Recorded> = Vec::new();
    for time in sorted {
        match all.last_mut() {
            Some(last) if time.from <= last.to => last.to = last.to.max(time.to),
            _ => all.push(time),
        }
    }
    all
}

/// The times between the two that are in none of these, which are in order.
fn holes(recorded: &[Recorded], from: UnixMs, to: UnixMs) -> Vec<Unrecorded> {
    let mut holes = Vec::new();
    let mut at = from;
    for time in recorded.iter().filter(|time| time.to > from) {
        if time.from > to {
            break;
        }
        if time.from > at {
            holes.push(Unrecorded {
                from: at,
                to: time.from,
            });
        }
        at = at.max(time.to);
    }
    if at < to {
        holes.push(Unrecorded { from: at, to });
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;
    const HOUR: i64 = 60 * MIN;

    fn at(at: UnixMs) -> Manifest {
        Manifest {
            at,
            ..Manifest::default()
        }
    }

    fn span(from: UnixMs, to: UnixMs) -> Recorded {
        Recorded { from, to }
    }

    fn hole(from: UnixMs, to: UnixMs) -> Unrecorded {
        Unrecorded { from, to }
    }

    fn of(manifests: &[UnixMs], recorded: &[(UnixMs, UnixMs)], range: (UnixMs, UnixMs)) -> Plan {
        let manifests = manifests.iter().copied().map(at).collect();
        let recorded: Vec<Recorded> = recorded.iter().map(|(from, to)| span(*from, *to)).collect();
        plan(manifests, &recorded, range.0, range.1).expect("a plan")
    }

    #[test]
    fn the_newest_snapshot_that_is_early_enough_is_the_base() {
        let hours = [0, HOUR, 2 * HOUR, 3 * HOUR];
        let plan = of(&hours, &[(0, 4 * HOUR)], (2 * HOUR + 20 * MIN, 3 * HOUR));
        assert_eq!(plan.base, Some(at(2 * HOUR)));
        assert!(plan.lists.is_empty() && plan.unrecorded.is_empty() && plan.ahead.is_none());
        let plan = of(&hours, &[(0, 4 * HOUR)], (2 * HOUR + 9 * MIN, 3 * HOUR));
        assert_eq!(plan.base, Some(at(HOUR)), "what went before is told of");
    }

    #[test]
    fn a_hole_is_said_and_ends_with_a_list() {
        let spans = [(0, 70 * MIN), (80 * MIN, 120 * MIN)];
        let plan = of(&[0, HOUR, 80 * MIN], &spans, (75 * MIN, 90 * MIN));
        assert_eq!(plan.base, Some(at(HOUR)));
        assert_eq!(plan.lists, [at(80 * MIN)]);
        assert_eq!(plan.unrecorded, [hole(75 * MIN, 80 * MIN)]);
        // It ends in the hole: what is there later helps.
        let plan = of(&[0, HOUR, 80 * MIN], &spans, (75 * MIN, 78 * MIN));
        assert_eq!(plan.base, Some(at(HOUR)));
        assert_eq!(plan.ahead, Some(at(80 * MIN)));
        assert_eq!(plan.unrecorded, [hole(75 * MIN, 78 * MIN)]);
        // The hole is long over.
        let plan = of(&[0, HOUR, 80 * MIN], &spans, (95 * MIN, 110 * MIN));
        assert_eq!(plan.base, Some(at(80 * MIN)));
        assert!(plan.lists.is_empty() && plan.unrecorded.is_empty());
    }

    #[test]
    fn names_are_not_older_than_an_hour() {
        let spans = [(0, 10 * MIN), (5 * HOUR, 6 * HOUR)];
        let plan = of(&[0, 5 * HOUR], &spans, (2 * HOUR, 3 * HOUR));
        assert_eq!(plan.base, None);
        assert_eq!(plan.unrecorded, [hole(2 * HOUR, 3 * HOUR)]);
        assert_eq!(plan.ahead, Some(at(5 * HOUR)));
        let plan = of(&[0, 5 * HOUR], &spans, (4 * HOUR, 5 * HOUR + MIN));
        assert_eq!(plan.base, None);
        assert_eq!(plan.lists, [at(5 * HOUR)]);
    }

    #[test]
    fn before_the_first_snapshot_only_what_came_later_is_known() {
        let plan = of(&[5 * HOUR], &[(5 * HOUR, 6 * HOUR)], (HOUR, 2 * HOUR));
        assert_eq!((plan.base, plan.ahead), (None, Some(at(5 * HOUR))));
        assert_eq!(plan.unrecorded, [hole(HOUR, 2 * HOUR)]);
        let plan = of(&[5 * HOUR], &[(5 * HOUR, 6 * HOUR)], (4 * HOUR, 6 * HOUR));
        assert_eq!(plan.base, Some(at(5 * HOUR)));
        assert_eq!(plan.unrecorded, [hole(4 * HOUR, 5 * HOUR)]);
        assert!(super::plan(Vec::new(), &[], 0, HOUR).is_none());
    }

    #[test]
    fn two_writers_fill_each_others_holes() {
        let spans = [(0, 70 * MIN), (80 * MIN, 3 * HOUR), (60 * MIN, 2 * HOUR)];
        let plan = of(&[0, HOUR], &spans, (75 * MIN, 90 * MIN));
        assert!(plan.unrecorded.is_empty(), "{plan:?}");
    }
}
