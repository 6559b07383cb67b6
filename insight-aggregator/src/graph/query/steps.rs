//! A question about one edge over time.

use insight_proto::v1;

use super::{Part, Query, QueryError, QueryText, time};
use crate::model::{Level, UnixMs};

/// The range where the question does not say, milliseconds.
const DEFAULT_HISTORY_MS: i64 = 24 * 3_600_000;
/// Steps of an answer: a day by the minute, and a little more.
const MAX_STEPS: i64 = 1_500;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Which time of an edge, and in which steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The time.
    pub range: super::Range,
    /// Where the edge is looked for; none: at each level.
    pub level: Option<Level>,
    step: Option<i64>,
}

impl Steps {
    /// Checks what is asked at `now`.
    pub fn parse(request: &v1::EdgeHistoryRequest, now: UnixMs) -> Result<Self, QueryError> {
        let mut query = request.query.clone().unwrap_or_default();
        if query.from.is_none() && query.window.is_none() {
            query.window = Some(prost_types::Duration {
                seconds: DEFAULT_HISTORY_MS / 1_000,
                nanos: 0,
            });
        }
        let is_named = !query.level.is_empty();
        let Query { range, part } = Query::parse(&query, now)?;
        let level = part.level;
        let only = Part {
            level,
            ..Part::default()
        };
        if part != only {
            return Err(QueryError::new(
                "query",
                "an edge's history has a time and a level, and nothing else is asked of it",
                "leave everything else out, for example from=-6h&level=workload",
            ));
        }
        let step = match &request.step {
            None => None,
            Some(step) => {
                let length = step.seconds.checked_mul(1_000).filter(|_| step.nanos == 0);
                let is_step =
                    |step: &i64| *step >= MINUTE && *step % MINUTE == 0 && HOUR % *step == 0;
                let given = || wrong_step(&format!("{}s", step.seconds));
                Some(length.filter(is_step).ok_or_else(given)?)
            }
        };
        Ok(Self {
            range,
            level: is_named.then_some(level),
            step,
        })
    }

    /// The step for what is kept of the range, which begins at `from`, milliseconds.
    pub fn step(&self, from: UnixMs) -> Result<i64, QueryError> {
        let length = self.range.to - from;
        let usual = if length <= 2 * HOUR {
            MINUTE
        } else if length <= 12 * HOUR {
            5 * MINUTE
        } else {
            HOUR
        };
        let step = self.step.unwrap_or(usual);
        if length / step <= MAX_STEPS {
            return Ok(step);
        }
        Err(QueryError::new(
            "step",
            format!(
                "that would be {} steps, and {MAX_STEPS} are answered",
                length / step
            ),
            "ask for a shorter time or longer steps, for example from=-6h&step=5m",
        ))
    }
}

/// The question in text: what [`QueryText`] says of time and level, and the step.
pub fn history_request(
    id: String,
    question: &QueryText,
    step: Option<&str>,
    now: UnixMs,
) -> Result<v1::EdgeHistoryRequest, QueryError> {
    let step = step.map(str::trim).filter(|step| !step.is_empty());
    let step = step.map(|step| {
        let length = time::duration(step).ok_or_else(|| wrong_step(step))?;
        Ok(prost_types::Duration {
            seconds: length / 1_000,
            nanos: 0,
        })
    });
    Ok(v1::EdgeHistoryRequest {
        id,
        query: Some(question.to_proto(now)?),
        step: step.transpose()?,
    })
}

fn wrong_step(given: &str) -> QueryError {
    QueryError::new(
        "step",
        format!("{given:?} is no step: it is full minutes of which a whole number makes an hour"),
        "for example step=1m, step=5m or step=1h",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_769_860_800_000;

    fn ask(pairs: &[(&'static str, &str)], step: Option<&str>) -> Result<(i64, i64), QueryError> {
        let text = pairs
            .iter()
            .fold(QueryText::default(), |text, (name, value)| {
                text.with(name, (*value).to_owned())
            });
        let steps = Steps::parse(&history_request(String::new(), &text, step, NOW)?, NOW)?;
        let from = steps.range.from;
        Ok(((steps.range.to - from) / MINUTE, steps.step(from)? / MINUTE))
    }

    #[test]
    fn steps_fit_the_range() {
        for (pairs, step, expected) in [
            (&[][..], None, (1_440, 60)),
            (&[("window", "2h")], None, (120, 1)),
            (&[("from", "-12h")], None, (720, 5)),
            (&[("from", "-24h")], Some("1m"), (1_440, 1)),
            (&[("from", "-1w")], None, (10_080, 60)),
            (&[("from", "-1h"), ("level", "node")], Some("15m"), (60, 15)),
        ] {
            assert_eq!(ask(pairs, step), Ok(expected), "{pairs:?} {step:?}");
        }
    }

    #[test]
    fn mistakes_name_the_field() {
        for (pairs, step, field) in [
            (&[][..], Some("7m"), "step"),
            (&[], Some("30s"), "step"),
            (&[], Some("2h"), "step"),
            (&[], Some("0m"), "step"),
            (&[], Some("-5m"), "step"),
            (&[], Some("soon"), "step"),
            (&[("from", "-1w")], Some("1m"), "step"),
            (&[("from", "0")], None, "step"),
            (&[("from", "soon")], None, "from"),
            (&[("ports", "80")], None, "query"),
        ] {
            assert_eq!(
                ask(pairs, step).unwrap_err().field,
                field,
                "{pairs:?} {step:?}"
            );
        }
    }
}
