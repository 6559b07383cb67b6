//! The end of the log: what failed once more, a table of the tiers, and the totals.

use std::process::ExitCode;
use std::time::Duration;

use super::outcome::{Failure, Outcome};

/// Gathers the tiers' outcomes.
pub(crate) struct Report {
    skips_fail: bool,
    tiers: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// An empty one; `skips_fail` when nothing may be skipped.
    pub(crate) fn new(skips_fail: bool) -> Self {
        Self {
            skips_fail,
            tiers: Vec::new(),
        }
    }

    /// A tier has ended. `may_skip`: what it skipped is shown, and no failure even where skips are.
    pub(crate) fn tier(
        &mut self,
        name: &str,
        mut outcome: Outcome,
        took: Duration,
        may_skip: bool,
    ) {
        if self.skips_fail && !may_skip {
            outcome.forbid_skips();
        }
        println!("-- {}", summary(name, &outcome, took));
        for skip in &outcome.skipped {
            println!("   skipped {}: {}", skip.name, skip.reason);
        }
        self.tiers.push((name.to_owned(), outcome, took));
    }

    /// Something broke outside the tiers.
    pub(crate) fn broken(&mut self, error: &anyhow::Error) {
        let outcome = Outcome::failure(format!("{error:#}"), []);
        self.tier("build", outcome, Duration::ZERO, false);
    }

    /// Prints the end of the log; the last line is `N passed, N failed`.
    pub(crate) fn end(&self) -> ExitCode {
        for line in self.lines() {
            println!("{line}");
        }
        if self.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn failed(&self) -> usize {
        let failed = self
            .tiers
            .iter()
            .map(|(_, outcome, _)| outcome.failed.len());
        failed.sum()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new()];
        for (tier, outcome, _) in &self.tiers {
            for Failure { name, output } in &outcome.failed {
                lines.push(format!("FAILED {tier}: {name}"));
                lines.extend(output.iter().map(|line| format!("    {line}")));
            }
        }
        for (name, outcome, took) in &self.tiers {
            lines.push(summary(name, outcome, *took));
        }
        let passed: usize = self
            .tiers
            .iter()
            .map(|(_, outcome, _)| outcome.passed)
            .sum();
        lines.push(format!("{passed} passed, {} failed", self.failed()));
        lines
    }
}

fn summary(name: &str, outcome: &Outcome, took: Duration) -> String {
    format!(
        "{name}: {} passed, {} failed, {} skipped, {:.1} s",
        outcome.passed,
        outcome.failed.len(),
        outcome.skipped.len(),
        took.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(skips_fail: bool) -> Report {
        let mut report = Report::new(skips_fail);
        let mut unit = Outcome::failure("a: b", ["why".to_owned()]);
        unit.passed = 7;
        report.tier("unit", unit, Duration::from_millis(1500), false);
        report.tier(
            "host",
            Outcome::skip("host tier", "no root"),
            Duration::ZERO,
            false,
        );
        report.tier(
            "vm",
            Outcome::skip("vm tier", "no mirror"),
            Duration::ZERO,
            true,
        );
        report
    }

    #[test]
    fn the_end_names_failures_again_and_ends_with_the_totals() {
        assert_eq!(
            report(false).lines(),
            [
                "",
                "FAILED unit: a: b",
                "    why",
                "unit: 7 passed, 1 failed, 0 skipped, 1.5 s",
                "host: 0 passed, 0 failed, 1 skipped, 0.0 s",
                "vm: 0 passed, 0 failed, 1 skipped, 0.0 s",
                "7 passed, 1 failed",
            ]
        );
    }

    #[test]
    fn under_ci_a_skip_fails() {
        assert_eq!(report(true).lines().last().unwrap(), "7 passed, 2 failed");
    }
}
