use std::collections::BTreeSet;

use prost::Message as _;

use super::filter::{MAX_ENTRIES, MAX_SELECTOR};
use super::*;
use crate::model::{Level, Protocol};

/// 2026-01-31T12:00:30Z: half a minute is still open.
const NOW: UnixMs = 1_769_860_830_000;
const MINUTE: i64 = 60_000;
/// The full minute before [`NOW`].
const FULL: UnixMs = NOW - 30_000;

/// "at=-1h&level=node" as the text form.
fn text(parameters: &str) -> QueryText {
    let known = TIMES.into_iter().chain(PARTS).chain([ZONE]);
    let known: Vec<&'static str> = known.collect();
    let pairs = parameters
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.fold(QueryText::default(), |text, (key, value)| {
        let name = known.iter().find(|name| **name == key);
        let name = name.unwrap_or_else(|| panic!("no parameter {key}"));
        text.with(name, value.to_owned())
    })
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
        text(&format!("at=&from=&to=&{}=", PARTS.join("=&")))
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
    assert_eq!(query.part, Part::default());
    assert_eq!(query.part.level, Level::Workload);
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
        ("window=1m", (FULL - MINUTE, NOW)),
        ("at=now&window=30s", (FULL, NOW)),
        ("at=-1m&window=1h", (FULL - 61 * MINUTE, FULL)),
        (
            "to=-1h&window=2h",
            (FULL - 180 * MINUTE, FULL - 59 * MINUTE),
        ),
        ("at=now&window=99999w", (0, NOW)),
        (
            "at=yesterday 12:00&window=5m",
            (FULL - 1445 * MINUTE, FULL - 1440 * MINUTE),
        ),
        (
            "at=2026-01-31 12:00&tz=Europe/Berlin",
            (FULL - 75 * MINUTE, FULL - 60 * MINUTE),
        ),
        ("from=11:00&to=12:00", (FULL - 60 * MINUTE, FULL)),
    ] {
        assert_eq!(range_of(parameters), expected, "{parameters}");
    }
}

#[test]
fn the_rest_is_taken_as_it_is() {
    let query = text("level=node&focus=unit:n1/a b.service&hops=16")
        .parse(NOW)
        .unwrap();
    assert_eq!(query.part.level, Level::Node);
    let focus = Focus {
        node: "unit:n1/a b.service".to_owned(),
        hops: 16,
        direction: Direction::Both,
    };
    assert_eq!(query.part.focus, Some(focus));
    let part = |parameters: &str| text(parameters).parse(NOW).unwrap().part;
    let focus = part("focus=a&hops=0&direction=outbound").focus.unwrap();
    assert_eq!((focus.hops, focus.direction), (0, Direction::Outbound));
    assert_eq!(part("focus=a").focus.unwrap().hops, 1);

    let top = |edges, by| Some(Top { edges, by });
    assert_eq!(part("top=0").top, top(0, TopBy::Bytes));
    assert_eq!(part("top=7&top_by=failures").top, top(7, TopBy::Failures));
    assert!(part("unconnected=true").unconnected);
    assert!(!part("unconnected=false").unconnected);
}

#[test]
fn equal_filters_are_equal_however_they_are_written() {
    let filter = |parameters: &str| text(parameters).parse(NOW).unwrap().part.filter;
    let one = filter(
        "namespaces=shop, pay&selector=app=web,!x&kinds=Pod,external&ports=80-90,443&protocols=udp,tcp",
    );
    let expected = Filter {
        namespaces: vec!["pay".to_owned(), "shop".to_owned()],
        selector: Selector::parse("!x,app in (web)").unwrap(),
        kinds: vec!["external".to_owned(), "pod".to_owned()],
        ports: vec![(80, 90), (443, 443)],
        protocols: vec![Protocol::Tcp, Protocol::Udp],
        min_bytes: 0,
        min_connections: 0,
    };
    assert_eq!(one, expected);
    let other = filter(
        "ports=443,80-90,443&namespaces=pay,shop,pay&protocols=TCP,udp&kinds=external,pod&selector=!x,app==web",
    );
    assert_eq!(other, expected);
    let least = filter("min_bytes=18446744073709551615&min_connections=2");
    assert_eq!((least.min_bytes, least.min_connections), (u64::MAX, 2));
}

#[test]
fn ports_are_numbers_and_ranges() {
    let has = |ports: &str, port| {
        let query = text(&format!("ports={ports}")).parse(NOW).unwrap();
        query.part.filter.has_port(port)
    };
    for (ports, inside, outside) in [
        ("443", &[443][..], &[442, 444, 0][..]),
        ("80-82,8080", &[80, 81, 82, 8080], &[79, 83, 8081]),
        ("0-0,65535", &[0, 65535], &[1, 65534]),
        ("0-65535", &[0, 1, 65535], &[]),
        ("80-90,85-100", &[80, 100, 95], &[79, 101]),
    ] {
        for port in inside {
            assert!(has(ports, *port), "{port} is in {ports}");
        }
        for port in outside {
            assert!(!has(ports, *port), "{port} is not in {ports}");
        }
    }
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
        ("from=2026-01-32", "from"),
        ("from=0000-01-01T00:00:00Z", "from"),
        ("to=9999-12-31T23:59:60Z&from=tomorrow", "from"),
        ("at=1970-01-01T00:00:00Z", "at"),
        ("at=yesterday 25:00", "at"),
        ("at=today 12:00&tz=Mars/Base", "tz"),
        ("window=0m", "window"),
        ("window=-5m", "window"),
        ("window=soon", "window"),
        ("window=5", "window"),
        ("window=9223372036854775807w", "window"),
        ("from=-2h&window=1h", "window"),
        ("to=-15", "to"),
        ("level=cluster", "level"),
        ("level=Node", "level"),
        ("hops=17", "hops"),
        ("hops=-1", "hops"),
        ("hops=two", "hops"),
        ("hops=2", "hops"),
        ("hops=1&focus=", "hops"),
        ("direction=inbound", "direction"),
        ("focus=a&direction=upstream", "direction"),
        ("focus=a&direction=in", "direction"),
        ("without=shop", "without"),
        ("namespaces=Shop", "namespaces"),
        ("namespaces=shop,", "namespaces"),
        ("namespaces=-shop", "namespaces"),
        ("namespaces=kube_system", "namespaces"),
        ("namespaces=shop&level=node", "namespaces"),
        ("selector=app in web", "selector"),
        ("selector=app in (web", "selector"),
        ("selector=,", "selector"),
        ("kinds=pod,,unit", "kinds"),
        ("kinds=a pod", "kinds"),
        ("ports=http", "ports"),
        ("ports=65536", "ports"),
        ("ports=+80", "ports"),
        ("ports=90-80", "ports"),
        ("ports=80-", "ports"),
        ("ports=80,", "ports"),
        ("protocols=sctp", "protocols"),
        ("min_bytes=1KiB", "min_bytes"),
        ("min_bytes=-1", "min_bytes"),
        ("min_connections=x", "min_connections"),
        ("top=all", "top"),
        ("top=-1", "top"),
        ("top=10&top_by=size", "top_by"),
        ("top_by=bytes", "top_by"),
        ("unconnected=yes", "unconnected"),
        ("focus=a&unconnected=true", "unconnected"),
    ] {
        let error = text(parameters).parse(NOW).unwrap_err();
        assert_eq!(error.field, field, "{parameters}");
        assert!(!error.message.is_empty());
        let example = error.hint.rsplit(' ').next().unwrap();
        assert!(
            example.contains('=') && text(example).parse(NOW).is_ok(),
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
    for (seconds, nanos) in [(0, 0), (-60, 0), (i64::MAX, 0), (60, -1), (60, i32::MAX)] {
        let query = v1::GraphQuery {
            window: Some(prost_types::Duration { seconds, nanos }),
            ..v1::GraphQuery::default()
        };
        assert_eq!(Query::parse(&query, NOW).unwrap_err().field, "window");
    }
}

#[test]
fn lists_have_limits() {
    let long = |parameter: &str, entries: usize| {
        let entries: Vec<String> = (0..entries).map(|entry| entry.to_string()).collect();
        text(&format!("{parameter}={}", entries.join(","))).parse(NOW)
    };
    for field in ["namespaces", "kinds", "ports"] {
        assert!(long(field, MAX_ENTRIES).is_ok());
        let error = long(field, MAX_ENTRIES + 1).unwrap_err();
        assert_eq!(error.field, field);
        let example = error.hint.rsplit(' ').next().unwrap();
        assert!(text(example).parse(NOW).is_ok(), "{example}");
    }
    let selector = |bytes: usize| {
        let labels = "a,".repeat(bytes / 2 - 1);
        text(&format!("selector={labels}ab")).parse(NOW)
    };
    assert!(selector(MAX_SELECTOR).is_ok());
    assert_eq!(selector(MAX_SELECTOR + 2).unwrap_err().field, "selector");
}

#[test]
fn a_question_has_the_same_fields_everywhere() {
    let known = prost_types::FileDescriptorSet::decode(insight_proto::FILE_DESCRIPTOR_SET).unwrap();
    let messages = known.file.iter().flat_map(|file| &file.message_type);
    let mut messages = messages.filter(|message| message.name() == "GraphQuery");
    let fields = &messages.next().unwrap().field;
    let fields: BTreeSet<&str> = fields.iter().map(|field| field.name()).collect();
    let parameters: BTreeSet<&str> = TIMES.into_iter().chain(PARTS).collect();
    assert_eq!(fields, parameters);
    // Each of them is used.
    for name in PARTS {
        let value = match name {
            "focus" | "direction" | "hops" => "focus=a&direction=outbound&hops=3",
            "top" | "top_by" => "top=3&top_by=failures",
            "level" => "level=node",
            "without" => "without=own",
            "protocols" => "protocols=udp",
            "unconnected" => "unconnected=true",
            _ => &format!("{name}=12"),
        };
        let part = text(value).parse(NOW).unwrap().part;
        assert_ne!(part, Part::default(), "{name}");
    }
}
