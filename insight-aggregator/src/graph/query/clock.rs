//! What times in text are told from.

use jiff::tz::TimeZone;

use super::{QueryError, hints, time};
use crate::model::UnixMs;

/// Now, and the time zone of times that have no offset.
///
/// It reads RFC 3339, Unix seconds or milliseconds, `now`, times before now (`-15m`, `-1h30m`, `now-2d`, `-1w`), and in its time zone, which is UTC unless another
/// one is named: `2026-01-31`, `2026-01-31 12:00`, `today 09:30`, `yesterday 14:00`, `monday 9:00` and `14:00`, of which the last two are the newest such moment.
#[derive(Clone, Debug)]
pub struct Clock {
    now: UnixMs,
    zone: TimeZone,
}

impl Clock {
    /// With a zone of the IANA database; none is UTC.
    pub fn new(now: UnixMs, zone: Option<&str>) -> Result<Self, QueryError> {
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| hints::zone(name))?,
        };
        Ok(Self { now, zone })
    }

    /// The moment that a parameter says.
    pub fn moment(&self, field: &'static str, text: &str) -> Result<UnixMs, QueryError> {
        time::parse(text, self.now, &self.zone).map_err(|message| hints::time(field, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names() {
        // 2026-01-31T12:00:00Z and 2026-07-31T12:00:00Z.
        for (now, zone, expected) in [
            (1_769_860_800_000, None, 0),
            (1_769_860_800_000, Some("UTC"), 0),
            (1_769_860_800_000, Some("Europe/Berlin"), 1),
            (1_785_499_200_000, Some("Europe/Berlin"), 2),
            (1_769_860_800_000, Some("America/New_York"), -5),
        ] {
            let clock = Clock::new(now, zone).unwrap();
            let noon = clock.moment("at", "today 12:00").unwrap();
            assert_eq!((now - noon) / 3_600_000, expected, "{zone:?}");
        }
        for bad in ["Mars/Base", "../../etc/passwd", "", "+02:00", "é"] {
            assert_eq!(Clock::new(0, Some(bad)).unwrap_err().field, "tz", "{bad}");
        }
    }
}
