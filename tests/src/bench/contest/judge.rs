//! From rounds to rows.

use anyhow::{Context, Result};

use super::bout::{Bout, Round, Share};
use super::{CONTROL, Contest, DISTURBED, INSIGHT, NAMES, NOBODY, Name};
use crate::bench::row::{Budget, Row};
use crate::bench::stats::median;

/// A round in a line.
pub(super) fn line(round: &Round) -> String {
    let ratios: Vec<String> = (INSIGHT..NAMES.len())
        .map(|index| format!("{} {:.3}", NAMES[index].name, round.ratio(index, NOBODY)))
        .collect();
    format!(
        "{:.0}/s with no agent; of that: {}; other programs had up to {:.1} % of the CPUs",
        round.0[NOBODY].rate,
        ratios.join(", "),
        round.others() * 100.0
    )
}

/// The medians of the least disturbed rounds.
pub(super) fn rows(contest: &Contest<'_>, mut rounds: Vec<Round>) -> Result<Vec<Row>> {
    rounds.sort_by(|one, two| one.others().total_cmp(&two.others()));
    rounds.truncate(contest.rounds);
    let worst = rounds.last().context("no round was run")?.others();
    let medians = Medians(&rounds);
    let mut rows = vec![
        Row::new(
            format!(
                "{}: no agent, median of {} rounds",
                contest.what,
                rounds.len()
            ),
            medians.of(NOBODY, |bout| bout.rate)?,
            contest.unit,
        )
        .digits(0),
        Row::new(
            format!("  CPU time of both pods for a {}", contest.piece),
            medians.of(NOBODY, |bout| bout.pods_us)?,
            "µs",
        ),
        Row::new(
            "  other programs' CPU in the worst round",
            worst * 100.0,
            "%",
        )
        .digits(1),
    ];
    for (index, name) in NAMES.iter().enumerate().skip(INSIGHT) {
        rows.extend(of_one(contest, &medians, index, name, worst)?);
    }
    Ok(rows)
}

fn of_one(
    contest: &Contest<'_>,
    medians: &Medians<'_>,
    index: usize,
    Name { name, bytes }: &Name,
    worst: f64,
) -> Result<Vec<Row>> {
    let ratios = medians.each(|round| round.ratio(index, NOBODY));
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let what = format!(
        "{}: {name} / no agent ({least:.3} to {most:.3})",
        contest.what
    );
    let ratio = Row::new(what, median(&ratios).context("no round was run")?, "ratio").digits(3);
    let more = medians.each(|round| round.0[index].pods_us - round.0[NOBODY].pods_us);
    let dearer = medians.each(|round| round.0[NOBODY].pods_us / round.0[index].pods_us);
    let mut rows = vec![
        match (index, worst <= DISTURBED) {
            (INSIGHT, true) => ratio.budget(Budget::AtLeast(contest.floor)),
            (_, true) => ratio,
            // What others have taken from one bout and not from another says nothing about who competes.
            (_, false) => ratio.note("too disturbed to be judged"),
        },
        Row::new(
            format!(
                "  CPU time of both pods for a {}, no agent / with it",
                contest.piece
            ),
            median(&dearer).context("no round was run")?,
            "ratio",
        )
        .digits(3),
        Row::new(
            format!("  CPU time added to both pods for a {}", contest.piece),
            median(&more).context("no round was run")?,
            "µs",
        ),
    ];
    if index != CONTROL {
        let user = medians.of(index, |bout| bout.user)?;
        rows.push(Row::new(
            "  CPU of its processes",
            user * 100.0,
            "% of a core",
        ));
    }
    // Of connections and bytes nothing may be lost in any round: the lowest says it.
    let shares: Option<Vec<Share>> = medians.0.iter().map(|round| round.0[index].share).collect();
    if let Some(shares) = shares {
        let lowest = |of: fn(&Share) -> f64| shares.iter().map(of).fold(f64::INFINITY, f64::min);
        let connections = "  counted / true connections, client's view, lowest round";
        rows.push(Row::new(connections, lowest(|share| share.connections), "ratio").digits(6));
        let open = lowest(|share| share.open);
        if index != INSIGHT && open > 0.0 {
            rows.push(Row::new("  of it seen while open", open, "ratio").digits(6));
        }
        let bytes = format!("  {bytes}, lowest round");
        rows.push(Row::new(bytes, lowest(|share| share.bytes), "ratio").digits(6));
    }
    Ok(rows)
}

/// Over the rounds.
struct Medians<'a>(&'a [Round]);

impl Medians<'_> {
    fn each(&self, of: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.0.iter().map(of).collect()
    }

    fn of(&self, index: usize, of: fn(&Bout) -> f64) -> Result<f64> {
        let values = self.each(|round| of(&round.0[index]));
        median(&values).context("no round was run")
    }
}

#[cfg(test)]
mod tests {
    use super::super::CONTENDERS;
    use super::*;
    use crate::bench::traffic::Load;

    fn contest() -> Contest<'static> {
        Contest {
            what: "x",
            piece: "y",
            unit: "/s",
            load: Load::short(1),
            work: 1,
            floor: 0.97,
            rounds: 3,
        }
    }

    /// All as fast as nobody, but for Insight.
    fn round(insight: f64, nobody: f64, others: f64) -> Round {
        let bout = |rate: f64, share| Bout {
            rate,
            pods_us: 1e3 / rate,
            user: 0.02,
            others,
            share,
        };
        let mut bouts = [bout(nobody, None); CONTENDERS];
        let share = Share {
            connections: insight / 100.0,
            open: 0.0,
            bytes: 1.0,
        };
        bouts[INSIGHT] = bout(insight, Some(share));
        Round(bouts)
    }

    fn find<'a>(rows: &'a [Row], what: &str) -> &'a Row {
        let mut found = rows.iter().filter(|row| row.what.contains(what));
        let row = found.next().unwrap();
        assert!(found.next().is_none() || what.starts_with("  "), "{what}");
        row
    }

    #[test]
    fn the_median_of_the_quietest_rounds_counts() {
        let rounds = vec![
            round(90.0, 100.0, 0.01),
            round(1.0, 100.0, 0.5),
            round(300.0, 200.0, 0.02),
            round(99.0, 100.0, 0.0),
        ];
        let rows = rows(&contest(), rounds).unwrap();
        let cells = find(&rows, "x: Insight / no agent (0.900 to 1.500)").cells();
        assert_eq!(cells[1..], ["0.990", "ratio", "≥ 0.970", "ok"]);
        assert_eq!(find(&rows, "median of 3 rounds").cells()[1], "100");
        assert_eq!(find(&rows, "other programs").cells()[1], "2.0");
        assert_eq!(find(&rows, "  CPU time added").cells()[1], "0.10");
        assert_eq!(find(&rows, "  CPU of its").cells()[1], "2.00");
        assert_eq!(
            find(&rows, "  CPU time of both pods for a y, no").cells()[1],
            "0.990"
        );
        // The lowest, not the median.
        assert_eq!(find(&rows, "  counted / true conn").cells()[1], "0.900000");
        // Who does not compete for the budget has none.
        assert_eq!(find(&rows, "x: conntrack polling").cells()[4], "n.a.");
    }

    #[test]
    fn disturbed_rounds_are_not_judged() {
        let rows = rows(&contest(), vec![round(90.0, 100.0, 0.4)]).unwrap();
        let cells = find(&rows, "x: Insight").cells();
        assert_eq!(cells[4], "n.a.");
        assert!(cells[0].contains("disturbed"), "{cells:?}");
        assert!(super::rows(&contest(), Vec::new()).is_err());
    }
}
