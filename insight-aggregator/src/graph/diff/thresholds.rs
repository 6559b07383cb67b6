//! From where on a count has changed.

use insight_proto::v1;

use super::super::QueryError;

/// What is compared of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    Connections,
    Bytes,
    Failures,
    Retransmits,
    Rtt,
}

impl Counter {
    pub(super) const ALL: [Self; 5] = [
        Self::Connections,
        Self::Bytes,
        Self::Failures,
        Self::Retransmits,
        Self::Rtt,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Bytes => "bytes",
            Self::Failures => "failures",
            Self::Retransmits => "retransmits",
            Self::Rtt => "rtt",
        }
    }
}

/// Relative and absolute, see `Threshold` in `topology.proto`.
type Beyond = (f64, f64);

/// For each counter, in the order of [`Counter::ALL`].
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds([Beyond; Counter::ALL.len()]);

/// What a busy system does by itself is no change; a connect that fails where none did is.
impl Default for Thresholds {
    fn default() -> Self {
        Self([
            (0.2, 10.0),
            (0.2, 10_000.0),
            (0.0, 1.0),
            (1.0, 10.0),
            (1.0, 1_000.0),
        ])
    }
}

impl Thresholds {
    /// Of text: `COUNTER:RELATIVE%` or `COUNTER:RELATIVE%:ABSOLUTE`, separated by commas; without an absolute one every difference is large enough.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let entries = text.split(',').map(str::trim);
        let parsed = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let mut parts = entry.split(':').map(str::trim);
            let counter = parts.next().unwrap_or_default().to_owned();
            let relative = parts.next().and_then(|part| part.strip_suffix('%'));
            let relative = relative.and_then(number).map(|percent| percent / 100.0);
            let absolute = parts.next().map_or(Some(0.0), number);
            match (relative, absolute, parts.next()) {
                (Some(relative), Some(absolute), None) => Ok(v1::Threshold {
                    counter,
                    relative,
                    absolute,
                }),
                _ => Err(wrong(entry)),
            }
        });
        Self::from_proto(&parsed.collect::<Result<Vec<_>, _>>()?)
    }

    /// Of the wire.
    pub fn from_proto(given: &[v1::Threshold]) -> Result<Self, QueryError> {
        let mut all = Self::default();
        for one in given {
            let is_number = |number: f64| number.is_finite() && number >= 0.0;
            if !is_number(one.relative) || !is_number(one.absolute) {
                return Err(wrong(&one.counter));
            }
            let is_meant =
                |counter: &Counter| one.counter == "all" || one.counter == counter.as_str();
            if !Counter::ALL.iter().any(is_meant) {
                return Err(wrong(&one.counter));
            }
            for (counter, beyond) in Counter::ALL.iter().zip(&mut all.0) {
                if is_meant(counter) {
                    *beyond = (one.relative, one.absolute);
                }
            }
        }
        Ok(all)
    }

    /// On the wire, one for each counter.
    pub fn to_proto(&self) -> Vec<v1::Threshold> {
        let each = Counter::ALL.iter().zip(&self.0);
        each.map(|(counter, (relative, absolute))| v1::Threshold {
            counter: counter.as_str().to_owned(),
            relative: *relative,
            absolute: *absolute,
        })
        .collect()
    }

    /// Whether these two are apart.
    pub(super) fn are_apart(&self, counter: Counter, before: f64, after: f64) -> bool {
        let (relative, absolute) = self.0[counter as usize];
        let (low, high) = (before.min(after), before.max(after));
        high > low && high - low >= absolute && high >= low * (1.0 + relative)
    }
}

fn number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    text.chars().all(is_plain).then(|| text.parse().ok())?
}

fn wrong(given: &str) -> QueryError {
    let known = Counter::ALL.map(Counter::as_str).join(", ");
    QueryError::new(
        "thresholds",
        format!("{given:?} is no threshold"),
        format!(
            "COUNTER:PERCENT% or COUNTER:PERCENT%:ABSOLUTE, where COUNTER is one of {known} or all, for example \
             thresholds=all:0% or thresholds=bytes:50%:1000000,failures:0%:1"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_to_be_exceeded() {
        let all = Thresholds::parse("bytes:50%:100, failures:0%, rtt:100%:1").unwrap();
        for (counter, before, after, expected) in [
            (Counter::Bytes, 1_000.0, 1_400.0, false),
            (Counter::Bytes, 1_000.0, 1_500.0, true),
            (Counter::Bytes, 1_500.0, 1_000.0, true),
            (Counter::Bytes, 0.0, 99.0, false),
            (Counter::Bytes, 0.0, 100.0, true),
            (Counter::Failures, 3.0, 3.0, false),
            (Counter::Failures, 3.0, 4.0, true),
            (Counter::Rtt, 10.0, 19.0, false),
            (Counter::Rtt, 10.0, 5.0, true),
            (Counter::Connections, 100.0, 109.0, false),
            (Counter::Connections, 40.0, 50.0, true),
        ] {
            let found = all.are_apart(counter, before, after);
            assert_eq!(found, expected, "{counter:?} {before} {after}");
        }
    }

    #[test]
    fn text_and_wire_and_back() {
        assert_eq!(Thresholds::parse("").unwrap(), Thresholds::default());
        let all = Thresholds::parse("all:10%:5,rtt:12.5%").unwrap();
        assert_eq!(all.0[0], (0.1, 5.0));
        assert_eq!(all.0[4], (0.125, 0.0));
        assert_eq!(Thresholds::from_proto(&all.to_proto()).unwrap(), all);
        for bad in [
            "bytes",
            "bytes:",
            "bytes:5",
            "bytes:x%",
            "bytes:-5%",
            "bytes:NaN%",
            "bytes:inf%",
            "bytes:5%:x",
            "bytes:5%:1:1",
            "packets:5%",
            ":5%",
            "é:5%",
        ] {
            let error = Thresholds::parse(bad).unwrap_err();
            assert_eq!(error.field, "thresholds", "{bad}");
            let example = error.hint.rsplit("thresholds=").next().unwrap();
            assert!(Thresholds::parse(example).is_ok(), "{example}");
        }
        for (relative, absolute) in [(f64::NAN, 0.0), (-1.0, 0.0), (0.0, f64::INFINITY)] {
            let one = v1::Threshold {
                counter: "all".into(),
                relative,
                absolute,
            };
            assert!(Thresholds::from_proto(&[one]).is_err());
        }
    }
}
