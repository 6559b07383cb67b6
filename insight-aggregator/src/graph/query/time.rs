//! Moments as people and messages write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::wall;
use crate::model::UnixMs;

/// Bytes of a time: the longest that anybody means is RFC 3339 with nanoseconds and an offset.
const LONGEST: usize = 64;

/// The last moment that RFC 3339 can write.
const LAST: UnixMs = 253_402_300_799_999;
/// Plain numbers from here on are milliseconds: as seconds this is the year 5138, as milliseconds 1973.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// A moment in text, as of `now` in `zone`; see [`Clock`](super::Clock).
pub(super) fn parse(text: &str, now: UnixMs, zone: &TimeZone) -> Result<UnixMs, String> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(format!(
            "{:?}… is no time: it has {} bytes",
            &text[..text.floor_char_boundary(LONGEST)],
            text.len()
        ));
    }
    let moment = if text == "now" {
        Some(now)
    } else if let Some(ago) = text.strip_prefix("now").unwrap_or(text).strip_prefix('-') {
        duration(ago).map(|ago| now.saturating_sub(ago).max(0))
    } else if let Ok(number) = text.parse::<i64>() {
        if number >= FIRST_MILLISECONDS {
            Some(number)
        } else {
            number.checked_mul(1000)
        }
    } else {
        rfc3339(text).or_else(|| wall::parse(text, now, zone))
    };
    match moment {
        Some(moment) if (0..=LAST).contains(&moment) => Ok(moment),
        Some(_) => Err(format!("{text:?} is not between the years 1970 and 9999")),
        None => Err(format!("cannot read {text:?} as a time")),
    }
}

/// "1h30m" in milliseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next()?;
        let scale = match unit {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(scale)?)?;
        rest = &tail[unit.len_utf8()..];
    }
    (!text.is_empty()).then_some(total)
}

fn rfc3339(text: &str) -> Option<UnixMs> {
    let parsed = text.parse::<Timestamp>().or_else(|error| {
        // A "+02:00" that was not percent-encoded comes out of a URL as " 02:00".
        match text.char_indices().nth_back(5) {
            Some((at, ' ')) => format!("{}+{}", &text[..at], &text[at + 1..]).parse(),
            _ => Err(error),
        }
    });
    match parsed {
        Ok(parsed) => Some(parsed.as_millisecond()),
        // Of a program that writes "for ever"; a timestamp leaves room for time zones there.
        Err(_) if text.starts_with("9999-12-31T") && text.ends_with('Z') => {
            let civil = text.trim_end_matches('Z').parse::<DateTime>();
            civil.is_ok().then_some(LAST)
        }
        Err(_) => None,
    }
}

/// A moment on the wire.
pub(in crate::graph) fn from_proto(at: &prost_types::Timestamp) -> Result<UnixMs, String> {
    at.seconds
        .checked_mul(1000)
        .and_then(|ms| ms.checked_add(i64::from(at.nanos) / 1_000_000))
        .filter(|ms| (0..=LAST).contains(ms) && (0..1_000_000_000).contains(&at.nanos))
        .ok_or_else(|| {
            format!(
                "{} seconds and {} nanoseconds is no time between the years 1970 and 9999",
                at.seconds, at.nanos
            )
        })
}

/// The same moment on the wire.
pub(in crate::graph) fn to_proto(at: UnixMs) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.div_euclid(1000),
        nanos: i32::try_from(at.rem_euclid(1000) * 1_000_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T12:00:00Z.
    const NOW: UnixMs = 1_769_860_800_000;

    #[test]
    fn times_that_work() {
        for (text, expected) in [
            ("now", NOW),
            (" now ", NOW),
            ("-15m", NOW - 900_000),
            ("now-15m", NOW - 900_000),
            ("-1h30m", NOW - 5_400_000),
            ("-2d", NOW - 172_800_000),
            ("-1w", NOW - 604_800_000),
            ("now-1w1d", NOW - 691_200_000),
            ("-0s", NOW),
            ("-99999d", 0),
            ("1769860800", NOW),
            ("1769860800123", NOW + 123),
            ("0", 0),
            ("2026-01-31T12:00:00Z", NOW),
            ("2026-01-31T12:00:00.250Z", NOW + 250),
            ("2026-01-31T14:00:00+02:00", NOW),
            ("2026-01-31T14:00:00 02:00", NOW),
            ("2026-01-31 12:00:00Z", NOW),
            ("2026-01-31T10:00:00-02:00", NOW),
            // There was a leap second, and there was none: RFC 3339 can write both, and Unix time has neither.
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("2026-01-31T11:59:60Z", NOW - 1_000),
            ("9999-12-31T23:59:59Z", LAST),
            ("9999-12-31T23:59:59.999999Z", LAST),
        ] {
            assert_eq!(parse(text, NOW, &TimeZone::UTC), Ok(expected), "{text}");
        }
    }

    #[test]
    fn times_that_do_not() {
        for text in [
            "",
            "-",
            "now-",
            "-15",
            "-15x",
            "-m",
            "-15mé",
            "- 15m",
            "+15m",
            "2026-13-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-01-31T12:00:61Z",
            "2026-01-31T24:00:01Z",
            "0000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "+275760-09-13T00:00:00Z",
            "2026-01-31T12:00:00Z; DROP TABLE edge_1m",
            "\u{0}",
            "١٧٦٩٨٦٠٨٠٠",
            "２０２６-01-31T12:00:00Z",
            "-99999999999999999999d",
            "-9223372036854775807d",
            "99999999999999999",
            "1969-12-31T23:59:59Z",
            "12.5",
            "é 02:00",
        ] {
            assert!(parse(text, NOW, &TimeZone::UTC).is_err(), "{text}");
        }
        let long = parse(&"é".repeat(1_000_000), NOW, &TimeZone::UTC).unwrap_err();
        assert!(long.len() < 200 && long.contains("2000000 bytes"), "{long}");
        let early = parse("0000-01-01T00:00:00Z", NOW, &TimeZone::UTC).unwrap_err();
        assert!(early.contains("1970"), "{early}");
    }

    #[test]
    fn the_wire_and_back() {
        for at in [0, 1, 999, 1000, NOW + 1, LAST] {
            assert_eq!(from_proto(&to_proto(at)), Ok(at));
        }
        for (seconds, nanos) in [(-1, 0), (i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
            assert!(from_proto(&prost_types::Timestamp { seconds, nanos }).is_err());
        }
    }
}
