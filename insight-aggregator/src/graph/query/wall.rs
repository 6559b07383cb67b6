//! Moments as a calendar and a clock on the wall show them.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::model::UnixMs;

/// A day, a time of day or both in this zone, as of `now`: without a time it is the start of the day; without a day, or with the name of a weekday, the
/// newest such moment that is not in the future.
pub(super) fn parse(text: &str, now: UnixMs, zone: &TimeZone) -> Option<UnixMs> {
    let now = Timestamp::from_millisecond(now).ok()?;
    let today = now.to_zoned(zone.clone()).date();
    let at = |date: Date, time: Time| {
        // What a change of clocks leaves out is moved on by it; of what it brings twice this is the first.
        let moment = DateTime::from_parts(date, time).to_zoned(zone.clone());
        moment.ok().map(|moment| moment.timestamp())
    };
    // The newest of the days before which is not in the future.
    let newest = |mut date: Date, step: i64, time| {
        let mut moment = at(date, time)?;
        if moment > now {
            date = date.checked_sub(step.days()).ok()?;
            moment = at(date, time)?;
        }
        Some(moment)
    };
    let moment = match split(text) {
        (None, time) => newest(today, 1, clock(time)?),
        (Some(day), time) => {
            let time = if time.is_empty() {
                Time::midnight()
            } else {
                clock(time)?
            };
            match day.to_ascii_lowercase().as_str() {
                "today" => at(today, time),
                "yesterday" => at(today.yesterday().ok()?, time),
                name => match weekday(name) {
                    Some(weekday) => {
                        let ago = today.weekday().since(weekday);
                        let date = today.checked_sub(i64::from(ago).days()).ok()?;
                        newest(date, 7, time)
                    }
                    None => at(date(day)?, time),
                },
            }
        }
    };
    moment.map(Timestamp::as_millisecond)
}

/// The day and the time of day.
fn split(text: &str) -> (Option<&str>, &str) {
    let is_date = |day: &str| day.bytes().filter(|byte| *byte == b'-').count() == 2;
    // A plus is a space in a URL, and needs no quotes in a shell.
    match text.split_once([' ', '+']) {
        Some((day, time)) => (Some(day), time.trim_start()),
        None => match text.split_once('T') {
            Some((day, time)) if is_date(day) => (Some(day), time),
            _ if text.contains(':') => (None, text),
            _ => (Some(text), ""),
        },
    }
}

/// "2026-01-31".
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = i16::try_from(number(parts.next()?, 4..=4)?).ok()?;
    let month = i8::try_from(number(parts.next()?, 2..=2)?).ok()?;
    let day = i8::try_from(number(parts.next()?, 2..=2)?).ok()?;
    match parts.next() {
        None => Date::new(year, month, day).ok(),
        Some(_) => None,
    }
}

/// "9:00", "09:30", "14:00:05"; a leap second is the one before it, as in Unix time.
fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = i8::try_from(number(parts.next()?, 1..=2)?).ok()?;
    let minute = i8::try_from(number(parts.next()?, 2..=2)?).ok()?;
    let second = match parts.next() {
        None => 0,
        Some(second) => match number(second, 2..=2)? {
            60 => 59,
            second => i8::try_from(second).ok()?,
        },
    };
    match parts.next() {
        None => Time::new(hour, minute, second, 0).ok(),
        Some(_) => None,
    }
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && digits.contains(&text.len())).then(|| text.parse().ok())?
}

/// In small letters, in full or its first three.
fn weekday(name: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let is = |day: &str| name == day || name == &day[..3];
    let found = DAYS.into_iter().find(|(day, _)| is(day));
    found.map(|(_, weekday)| weekday)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, now: &str, zone: &str) -> Option<String> {
        let now: Timestamp = now.parse().unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let at = parse(text, now.as_millisecond(), &zone)?;
        Some(Timestamp::from_millisecond(at).unwrap().to_string())
    }

    #[test]
    fn days_and_times_of_day() {
        // A Saturday.
        let now = "2026-01-31T12:00:30Z";
        for (text, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31 12:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31 7:05:09", "2026-01-31T07:05:09Z"),
            ("2016-12-31 23:59:60", "2016-12-31T23:59:59Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("today", "2026-01-31T00:00:00Z"),
            ("today 09:30", "2026-01-31T09:30:00Z"),
            ("today 23:00", "2026-01-31T23:00:00Z"),
            ("yesterday", "2026-01-30T00:00:00Z"),
            ("Yesterday  14:00", "2026-01-30T14:00:00Z"),
            ("14:00", "2026-01-30T14:00:00Z"),
            ("12:00", "2026-01-31T12:00:00Z"),
            ("12:00:30", "2026-01-31T12:00:30Z"),
            ("12:00:31", "2026-01-30T12:00:31Z"),
            ("0:00", "2026-01-31T00:00:00Z"),
            ("monday 9:00", "2026-01-26T09:00:00Z"),
            ("Mon 9:00", "2026-01-26T09:00:00Z"),
            ("monday+9:00", "2026-01-26T09:00:00Z"),
            ("saturday 9:00", "2026-01-31T09:00:00Z"),
            ("saturday 13:00", "2026-01-24T13:00:00Z"),
            ("sunday", "2026-01-25T00:00:00Z"),
        ] {
            assert_eq!(read(text, now, "UTC").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn clocks_that_change() {
        let now = "2026-03-30T12:00:00Z";
        for (text, zone, expected) in [
            ("2026-01-31 12:00", "Europe/Berlin", "2026-01-31T11:00:00Z"),
            ("yesterday 12:00", "Europe/Berlin", "2026-03-29T10:00:00Z"),
            // There was no such time, and there were two.
            ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
            ("2025-10-26 02:30", "Europe/Berlin", "2025-10-26T00:30:00Z"),
            // It is the next day there.
            ("today", "Pacific/Auckland", "2026-03-30T11:00:00Z"),
            ("today", "America/New_York", "2026-03-30T04:00:00Z"),
        ] {
            assert_eq!(
                read(text, now, zone).as_deref(),
                Some(expected),
                "{text} {zone}"
            );
        }
    }

    #[test]
    fn what_is_on_no_wall() {
        for text in [
            "",
            " ",
            "tomorrow",
            "yesterday 14",
            "yesterday 24:00",
            "yesterday 14:60",
            "yesterday 14:00:61",
            "yesterday 14:00:00:00",
            "yesterday 1４:00",
            "noon",
            "m 9:00",
            "mond 9:00",
            "25:00",
            ":",
            "::",
            "2026-1-31",
            "2026-02-29",
            "2026-02-29 12:00",
            "2026-01-31-01",
            "26-01-31",
            "2026-01-31 12:00 12:00",
            "2026-01-31 noon",
            "-2026-01-31",
            "é 9:00",
            "yesterday\u{a0}14:00",
        ] {
            let read = read(text, "2026-01-31T12:00:30Z", "UTC");
            assert_eq!(read, None, "{text}");
        }
    }
}
