//! How moments are written.

use jiff::Timestamp;

use crate::model::UnixMs;

/// RFC 3339 in UTC with microseconds.
pub(super) fn rfc3339(at: UnixMs) -> String {
    format!("{:.6}", timestamp(at))
}

/// RFC 3339 in UTC with whole seconds, as the API server writes it.
pub(super) fn seconds(at: UnixMs) -> String {
    format!("{:.0}", timestamp(at))
}

/// As in `Last-Modified`.
pub(super) fn http_date(at: UnixMs) -> String {
    timestamp(at)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// Of a moment of the graph.
pub(super) fn unix_ms(at: Option<&prost_types::Timestamp>) -> UnixMs {
    at.map_or(0, |at| {
        at.seconds
            .saturating_mul(1_000)
            .saturating_add(i64::from(at.nanos / 1_000_000))
    })
}

/// What RFC 3339 cannot write is no moment that anybody means.
fn timestamp(at: UnixMs) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(rfc3339(1_432_912_996_103), "2015-05-29T15:23:16.103000Z");
        assert_eq!(seconds(1_432_912_996_103), "2015-05-29T15:23:16Z");
        assert_eq!(
            http_date(1_432_912_996_103),
            "Fri, 29 May 2015 15:23:16 GMT"
        );
    }
}
