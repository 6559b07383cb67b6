use super::*;

/// 2026-01-31T12:00:30Z: half a minute is still open.
const NOW: UnixMs = 1_769_860_830_000;
const MINUTE: i64 = 60_000;
/// The full minute before [`NOW`].
const FULL: UnixMs = NOW - 30_000;

/// "at=-1h&level=node" as the text form.
fn text(parameters: &str) -> QueryText {
    let mut text = QueryText::default();
    for (key, value) in parameters
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        let field = match key {
            "at" => &mut text.at,
            "from" => &mut text.from,
            "to" => &mut text.to,
            "level" => &mut text.level,
            "focus" => &mut text.focus,
            "hops" => &mut text.hops,
            other => panic!("no parameter {other}"),
        };
        *field = Some(value.to_owned());
    }
    text
}

fn range_of(parameters: &str) -> (i64, i64) {
    let range = text(parameters).parse(NOW).unwrap().range;
    (range.from, range.to)
}

#[test]
fn nothing_asks_for_the_last_15_minutes_of_workloads() {
    let query = text("").parse(NOW).unwrap();
    assert_eq!(
        query,
        text("at=&from=&to=&level=&focus=&hops=")
            .parse(NOW)
            .unwrap()
    );
    assert_eq!(
        query,
        Query::parse(&v1::GraphQuery::default(), NOW).unwrap()
    );
    assert_eq!(
        query.range,
        Range {
            from: FULL - 15 * MINUTE,
            to: NOW
        }
    );
    assert_eq!(query.range, Range::running(NOW));
    assert_eq!(
        (query.level, query.focus, query.hops),
        (Level::Workload, None, 1)
    );
}

#[test]
fn ranges_are_widened_to_full_minutes_that_are_past() {
    for (parameters, expected) in [
        ("at=now", (FULL - 15 * MINUTE, NOW)),
        ("at=-1m", (FULL - 16 * MINUTE, FULL)),
        (
            "at=2026-01-31T11:00:00Z",
            (FULL - 75 * MINUTE, FULL - 60 * MINUTE),
        ),
        (
            "at=2026-01-31T11:00:01Z",
            (FULL - 75 * MINUTE, FULL - 59 * MINUTE),
        ),
        ("from=-1h", (FULL - 60 * MINUTE, NOW)),
        ("from=-2h&to=-1h", (FULL - 120 * MINUTE, FULL - 59 * MINUTE)),
        ("to=-1h", (FULL - 75 * MINUTE, FULL - 59 * MINUTE)),
        ("from=-10s", (FULL, NOW)),
        (
            "from=-1h&to=2030-01-01T00:00:00Z",
            (FULL - 60 * MINUTE, NOW),
        ),
        ("at=60", (0, MINUTE)),
    ] {
        assert_eq!(range_of(parameters), expected, "{parameters}");
    }
}

#[test]
fn the_rest_is_taken_as_it_is() {
    let query = text("level=node&focus=unit:n1/a b.service&hops=16")
        .parse(NOW)
        .unwrap();
    assert_eq!(query.level, Level::Node);
    assert_eq!(query.focus.as_deref(), Some("unit:n1/a b.service"));
    assert_eq!(query.hops, 16);
    assert_eq!(text("focus=a&hops=0").parse(NOW).unwrap().hops, 0);
}

#[test]
fn mistakes_say_where_and_what_works() {
    for (parameters, field) in [
        ("at=-1h&from=-2h", "at"),
        ("at=-1h&to=-2h", "at"),
        ("at=soon", "at"),
        ("at=2030-01-01T00:00:00Z", "at"),
        ("from=-1h&to=-2h", "from"),
        ("from=-1h&to=-1h", "from"),
        ("from=now", "from"),
        ("from=2030-01-01T00:00:00Z", "from"),
        ("from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z", "from"),
        ("from=2026-01-31", "from"),
        ("to=-15", "to"),
        ("level=planet", "level"),
        ("level=Node", "level"),
        ("hops=17", "hops"),
        ("hops=-1", "hops"),
        ("hops=two", "hops"),
        ("hops=2", "hops"),
        ("hops=1&focus=", "hops"),
    ] {
        let error = text(parameters).parse(NOW).unwrap_err();
        assert_eq!(error.field, field, "{parameters}");
        assert!(!error.message.is_empty());
        let example = error.hint.rsplit(' ').next().unwrap();
        assert!(
            text(example).parse(NOW).is_ok() && example.contains('='),
            "the hint's last word works: {}",
            error.hint
        );
    }
}

#[test]
fn times_on_the_wire_are_checked_too() {
    let at = Some(prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    });
    let error = Query::parse(
        &v1::GraphQuery {
            at,
            ..v1::GraphQuery::default()
        },
        NOW,
    )
    .unwrap_err();
    assert_eq!(error.field, "at");
}
