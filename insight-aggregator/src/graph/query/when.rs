//! A moment or a range in one text, for questions about two of them.

use insight_proto::v1;

use super::{Query, QueryError, QueryText};
use crate::model::UnixMs;

/// The question over the time that the parameter `field` says in `when`: a moment, or a range `FROM..TO`; nothing is now. It is answered checked, and as it goes over
/// the wire. `window` is for moments, and for ranges without a start.
pub fn question_when(
    part: &QueryText,
    field: &'static str,
    when: Option<&str>,
    now: UnixMs,
) -> Result<(Query, v1::GraphQuery), QueryError> {
    let part = part.clone();
    let timed = match when.map(|when| (when, when.split_once(".."))) {
        None => part,
        Some((_, Some((from, to)))) => match from.trim() {
            "" => part,
            _ => part.without("window"),
        }
        .with("from", from.trim().to_owned())
        .with("to", to.trim().to_owned()),
        Some((moment, None)) => part.with("at", moment.to_owned()),
    };
    let asked = timed.to_proto(now);
    let asked = asked.and_then(|asked| Ok((Query::parse(&asked, now)?, asked)));
    asked.map_err(|mut error| {
        if matches!(error.field, "at" | "from" | "to") {
            for time in ["at", "from", "to"] {
                let (wrong, right) = (format!("{time}="), format!("{field}="));
                error.hint = error.hint.replace(&wrong, &right);
            }
            error.field = field;
        }
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_769_860_800_000;
    const MINUTE: i64 = 60_000;

    fn ask(when: Option<&str>, window: &str) -> Result<(i64, i64), QueryError> {
        let part = QueryText::default().with("window", window.to_owned());
        let (query, asked) = question_when(&part, "before", when, NOW)?;
        assert_eq!(Query::parse(&asked, NOW).unwrap(), query);
        let ago = |at| (NOW - at) / MINUTE;
        Ok((ago(query.range.from), ago(query.range.to)))
    }

    #[test]
    fn moments_and_ranges() {
        for (when, window, expected) in [
            (None, "", (15, 0)),
            (None, "5m", (5, 0)),
            (Some("-1h"), "", (75, 60)),
            (Some("-1h"), "1m", (61, 60)),
            (Some("-2h..-1h"), "", (120, 60)),
            (Some("-2h..-1h"), "5m", (120, 60)),
            (Some("..-1h"), "5m", (65, 60)),
            (Some("yesterday 12:00 .. yesterday 13:00"), "", (1440, 1380)),
            (Some("-2h.."), "", (120, 0)),
            (Some("..-1h"), "", (75, 60)),
        ] {
            assert_eq!(ask(when, window), Ok(expected), "{when:?} {window}");
        }
    }

    #[test]
    fn mistakes_are_the_parameters() {
        for when in [
            "soon",
            "-1h..soon",
            "soon..-1h",
            "-1h..-2h",
            "-1h..-1h",
            "2030-01-01..2031-01-01",
            "-1h...now",
            "é..",
        ] {
            let error = ask(Some(when), "").unwrap_err();
            assert_eq!(error.field, "before", "{when}");
            assert!(error.hint.contains("before=-15m"), "{}", error.hint);
            assert!(!error.hint.contains("at="), "{}", error.hint);
        }
        assert_eq!(ask(Some("-1h"), "0m").unwrap_err().field, "window");
    }
}
