//! Writes the Prometheus text format 0.0.4.

use std::fmt::{Display, Write as _};

use crate::ingest::stats::Spent;

/// What a family's samples mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only grows, until its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A sum and how many were summed.
    Summary,
}

/// The text as it grows. All samples of a family follow its [`Text::family`] at once.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.family = name;
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Adds a sample to the family that was begun last.
    pub(super) fn sample<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: impl Display,
    ) {
        self.text.push_str(self.family);
        let mut separator = '{';
        for (name, label) in labels {
            self.text.push(separator);
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escape(label);
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        self.push(format_args!(" {value}\n"));
    }

    /// A family of one sample without labels.
    pub(super) fn single(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &str,
        value: impl Display,
    ) {
        self.family(name, kind, help);
        self.sample([], value);
    }

    /// A family of time spent and how many times, without labels.
    pub(super) fn summary(&mut self, name: &'static str, help: &str, spent: &Spent) {
        self.family(name, Kind::Summary, help);
        let (seconds, times) = (spent.seconds(), spent.times());
        self.push(format_args!("{name}_sum {seconds}\n{name}_count {times}\n"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn escape(&mut self, label: &str) {
        for c in label.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                c => self.text.push(c),
            }
        }
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let awkward = "a\\b \"c\"\nd=,}{é";
        let mut text = Text::default();
        text.family("x_total", Kind::Counter, "Some \\ help\nin two lines.");
        text.sample(
            [("name", awkward), ("other", "")],
            18_446_744_073_709_551_615_u64,
        );
        text.single("y", Kind::Gauge, "One.", 0.25);
        let families = parse(&text.finish()).unwrap();
        assert_eq!(families["x_total"].kind, "counter");
        let sample = &families["x_total"].samples[0];
        assert_eq!(sample.labels["name"], awkward);
        assert_eq!(sample.labels["other"], "");
        assert_eq!(sample.value, 18_446_744_073_709_551_615_f64);
        assert_eq!(families["y"].samples[0].value, 0.25);
    }
}
