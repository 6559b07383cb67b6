//! Durations as people write them: `90s`, `15m`, `12h`, `7d`, `1h30m`.

use std::time::Duration;

/// What is accepted, for error messages.
pub(super) const FORM: &str = "write a number and a unit, for example 12h or 7d";

/// Reads a duration; none if it is zero or not one.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let mut tail = tail.chars();
        let unit = match tail.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = tail.as_str();
    }
    (seconds > 0).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("7d"), Some(604_800));
        assert_eq!(seconds(" 1h30m "), Some(5_400));
        assert_eq!(seconds("90s"), Some(90));
        for bad in [
            "",
            "7",
            "d",
            "-7d",
            "0d",
            "7w",
            "7.5d",
            "7dé",
            "99999999999999999999d",
            "9999999999999999999d",
        ] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }
}
