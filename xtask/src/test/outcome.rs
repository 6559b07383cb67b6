//! What a tier has to tell.

use std::collections::VecDeque;

/// A failed test, or a command that broke before it could say which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Which, for a person to find it
    pub(crate) name: String,
    /// The telling lines of its output
    pub(crate) output: Vec<String>,
}

/// A test that did not run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// Which
    pub(crate) name: String,
    /// Why
    pub(crate) reason: String,
}

/// The results of a tier, or of a part of one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many tests passed
    pub(crate) passed: usize,
    /// Those that failed
    pub(crate) failed: Vec<Failure>,
    /// Those that did not run
    pub(crate) skipped: Vec<Skip>,
}

impl Outcome {
    /// A tier that could not begin.
    pub(crate) fn skip(name: &str, reason: impl Into<String>) -> Self {
        Self {
            skipped: vec![Skip {
                name: name.to_owned(),
                reason: reason.into(),
            }],
            ..Self::default()
        }
    }

    /// One failure and nothing else.
    pub(crate) fn failure(name: impl Into<String>, output: impl Into<Vec<String>>) -> Self {
        Self {
            failed: vec![Failure {
                name: name.into(),
                output: output.into(),
            }],
            ..Self::default()
        }
    }

    /// Adds the results of another part.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    /// Counts tests that noted in the skip file that they could not do their work: libtest calls those passed.
    pub(crate) fn add_noted_skips(&mut self, notes: &str) {
        for note in notes.lines().filter(|note| !note.trim().is_empty()) {
            let (name, reason) = note.split_once(": ").unwrap_or((note, "no reason given"));
            let skip = Skip {
                name: name.trim().to_owned(),
                reason: reason.trim().to_owned(),
            };
            if !self.skipped.contains(&skip) {
                self.passed = self.passed.saturating_sub(1);
                self.skipped.push(skip);
            }
        }
    }

    /// Where nothing may be skipped, what was is a failure.
    pub(crate) fn forbid_skips(&mut self) {
        for skip in &self.skipped {
            self.failed.push(Failure {
                name: format!("{} was skipped, which CI=true forbids", skip.name),
                output: vec![skip.reason.clone()],
            });
        }
    }
}

/// The last lines of something long.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
    left_out: usize,
}

impl Tail {
    /// Enough for a compiler's error, or for the end of a backtrace; a CI log's end must stay readable.
    const LINES: usize = 30;

    /// Takes a line, and forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, line: &str) {
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(line.to_owned());
    }

    /// The lines kept.
    pub(crate) fn lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// The first and the last lines of something long: a panic says first what happened, and then at length where.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    head: Vec<String>,
    tail: Tail,
}

impl Excerpt {
    /// Enough for a message with two values that differ.
    const HEAD: usize = 15;

    /// Takes a line.
    pub(crate) fn push(&mut self, line: &str) {
        if self.head.len() < Self::HEAD {
            self.head.push(line.to_owned());
        } else {
            self.tail.push(line);
        }
    }

    /// The lines kept, with a word about those between.
    pub(crate) fn lines(self) -> Vec<String> {
        let mut lines = self.head;
        if self.tail.left_out > 0 {
            lines.push(format!("… {} lines left out …", self.tail.left_out));
        }
        lines.extend(self.tail.lines());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_skip_is_taken_from_the_passed_once() {
        let mut outcome = Outcome {
            passed: 3,
            ..Outcome::default()
        };
        outcome.add_noted_skips("pods::ipv6: no IPv6 here\n\npods::ipv6: no IPv6 here\nbare\n");
        assert_eq!(outcome.passed, 1);
        assert_eq!(outcome.skipped[0].name, "pods::ipv6");
        assert_eq!(outcome.skipped[0].reason, "no IPv6 here");
        assert_eq!(outcome.skipped[1].reason, "no reason given");
        assert_eq!(outcome.skipped.len(), 2);
    }

    #[test]
    fn where_skips_are_forbidden_they_fail_and_stay_listed() {
        let mut outcome = Outcome::skip("host tier", "no root");
        outcome.forbid_skips();
        assert_eq!(outcome.skipped.len(), 1);
        assert_eq!(outcome.failed[0].output, ["no root"]);
    }

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = Tail::default();
        for line in 0..100 {
            tail.push(&line.to_string());
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), Tail::LINES);
        assert_eq!(lines.last().map(String::as_str), Some("99"));
    }
    #[test]
    fn an_excerpt_keeps_the_beginning_too_and_says_what_it_leaves_out() {
        let excerpt = |count: usize| {
            let mut excerpt = Excerpt::default();
            for line in 0..count {
                excerpt.push(&line.to_string());
            }
            excerpt.lines()
        };
        assert_eq!(excerpt(2), ["0", "1"]);
        let whole = Excerpt::HEAD + Tail::LINES;
        assert_eq!(excerpt(whole).len(), whole);
        let lines = excerpt(100);
        assert_eq!(lines[0], "0");
        assert_eq!(
            lines[Excerpt::HEAD],
            format!("… {} lines left out …", 100 - whole)
        );
        assert_eq!(lines.last().map(String::as_str), Some("99"));
    }
}
