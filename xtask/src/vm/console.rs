//! What a machine's console says: the tests' lines among the kernel's.

use serde_json::Value;

/// How the lines of `insight-vm` begin.
const MARK: &str = "insight-vm: ";

/// How it went on one kernel.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// `uname -r`
    pub(crate) kernel: Option<String>,
    /// The answer of `insight-agent doctor --json`
    pub(crate) doctor: Option<Value>,
    /// What passed, with how long it took
    pub(crate) passed: Vec<String>,
    /// What failed, and why
    pub(crate) failed: Vec<(String, String)>,
    /// The totals that the last line gives
    end: Option<(usize, usize)>,
    panicked: bool,
}

impl Report {
    /// Reads it off the console.
    pub(crate) fn read(console: &str) -> Self {
        let mut report = Self {
            panicked: console.contains("Kernel panic - not syncing"),
            ..Self::default()
        };
        for line in console.lines() {
            // The kernel may have begun the line.
            let Some((_, line)) = line.split_once(MARK) else {
                continue;
            };
            let line = line.trim_end();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "kernel" => report.kernel = Some(rest.to_owned()),
                "doctor" => report.doctor = serde_json::from_str(rest).ok(),
                "ok" => report.passed.push(rest.to_owned()),
                "FAIL" => {
                    let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
                    report.failed.push((name.to_owned(), why.to_owned()));
                }
                "end" => report.end = totals(rest),
                _ => {}
            }
        }
        report
    }

    /// Whether the kernel gave up.
    pub(crate) fn panicked(&self) -> bool {
        self.end.is_none() && self.panicked
    }

    /// Why the report cannot be trusted: the end is missing, or counts what we did not see.
    pub(crate) fn broken(&self) -> Option<String> {
        match self.end {
            None if self.panicked => Some("the kernel panicked".to_owned()),
            None => Some("the machine ended before the tests did".to_owned()),
            Some(end) if end != (self.passed.len(), self.failed.len()) => Some(format!(
                "the tests count {} passed and {} failed, their lines are {} and {}",
                end.0,
                end.1,
                self.passed.len(),
                self.failed.len()
            )),
            Some((0, 0)) => Some("no test ran".to_owned()),
            Some(_) => None,
        }
    }
}

/// `7 passed, 0 failed`.
fn totals(text: &str) -> Option<(usize, usize)> {
    let (passed, failed) = text.split_once(" passed, ")?;
    let failed = failed.strip_suffix(" failed")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[    0.1] noise\r\n\
        insight-vm: kernel 6.1.0-56-cloud-amd64\r\n\
        insight-vm: doctor {\"counts_flows\":true}\r\n\
        [    9.9] half a line insight-vm: ok counts are exact (1.2 s)\r\n\
        insight-vm: FAIL loopback: expected 1: found 2\r\n\
        insight-vm: end 1 passed, 1 failed\r\n";

    #[test]
    fn lines_are_found_among_the_kernels() {
        let report = Report::read(GOOD);
        assert_eq!(report.kernel.as_deref(), Some("6.1.0-56-cloud-amd64"));
        assert_eq!(report.doctor.as_ref().unwrap()["counts_flows"], true);
        assert_eq!(report.passed, ["counts are exact (1.2 s)"]);
        let failed = ("loopback".to_owned(), "expected 1: found 2".to_owned());
        assert_eq!(report.failed, [failed]);
        assert_eq!(report.broken(), None);
    }

    #[test]
    fn only_the_last_line_makes_it_whole() {
        let (cut, _) = GOOD.split_once("insight-vm: end").unwrap();
        assert!(Report::read(cut).broken().unwrap().contains("ended before"));
        let panic = format!("{cut}Kernel panic - not syncing: Fatal exception\n");
        let report = Report::read(&panic);
        assert!(report.panicked() && report.broken().unwrap().contains("panicked"));
        // After the end, for example while it shuts down, it changes nothing.
        assert!(!Report::read(&format!("{GOOD}Kernel panic - not syncing")).panicked());
    }

    #[test]
    fn totals_must_be_those_of_the_lines() {
        let wrong = GOOD.replace("end 1 passed", "end 2 passed");
        assert!(Report::read(&wrong).broken().unwrap().contains("count 2"));
        assert!(
            Report::read("insight-vm: end 0 passed, 0 failed")
                .broken()
                .is_some()
        );
        assert!(Report::read("insight-vm: end of it").broken().is_some());
    }
}
