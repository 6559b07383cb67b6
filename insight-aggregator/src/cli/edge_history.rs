//! `edge --history`: one edge over time.

use std::fmt::Write as _;

use insight_proto::{json, v1};
use tonic::Code;

use super::args::{EdgeFormat, PartArgs, TimeArgs, question};
use super::connect::connect;
use super::failure::Failure;
use super::output;
use crate::graph::render::{full_name, one_line};
use crate::graph::{Steps, history_request};
use crate::model::now_ms;

pub(super) async fn run(
    server: &str,
    id: String,
    time: TimeArgs,
    level: Option<String>,
    step: Option<&str>,
    format: EdgeFormat,
) -> Result<(), Failure> {
    let part = PartArgs {
        level,
        ..PartArgs::default()
    };
    let now = now_ms();
    let request = history_request(id, &question(Some(time), part), step, now);
    // Checked here first, so that a mistake needs no aggregator.
    let request = request.and_then(|request| Steps::parse(&request, now).map(|_| request));
    let request =
        request.map_err(|error| Failure::question(error.field, &error.message, &error.hint))?;
    let found = connect(server).await?.get_edge_history(request).await;
    let found = found.map_err(|status| match status.code() {
        Code::NotFound => Failure::failed(
            status.message(),
            "take an id from `insight-aggregator graph --format json` with the same --at, --from, --to and --level",
        ),
        _ => Failure::answered(&status),
    })?;
    let found = found.into_inner();
    output::print(&match format {
        EdgeFormat::Table => table(&found),
        EdgeFormat::Json => format!("{:#}\n", json::history(&found)),
    })
}

/// One line a step, by the view that counted more; `?` where not all of it was seen.
fn table(history: &v1::EdgeHistory) -> String {
    let name = |node: &Option<v1::Node>| {
        let node = node.as_ref();
        node.map_or_else(|| "unknown".to_owned(), |node| full_name(node).into_owned())
    };
    let mut text = one_line(&format!(
        "{} -> {} {}/{}",
        name(&history.client),
        name(&history.server),
        history.protocol,
        history.port
    ));
    let (first, last) = (
        time(history.first_seen.as_ref()),
        time(history.last_seen.as_ref()),
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\nfirst seen {first}, last seen {last}\n");
    let _ = writeln!(
        text,
        "{:<21} {:>9} {:>7} {:>14} {:>14} {:>8} {:>11}",
        "FROM", "CONNS", "FAILED", "SENT", "RECEIVED", "RETRANS", "RTT P50 µs"
    );
    for point in &history.points {
        let views = || {
            [&point.client_view, &point.server_view]
                .into_iter()
                .flatten()
        };
        let most = |count: fn(&v1::EdgeView) -> u64| views().map(count).max();
        let cell =
            |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let rtt = views()
            .filter_map(|view| view.rtt)
            .map(|rtt| rtt.p50_us.into())
            .max();
        let doubt = if point.complete { "" } else { "?" };
        let _ = writeln!(
            text,
            "{:<21} {:>9} {:>7} {:>14} {:>14} {:>8} {:>11}",
            time(point.from.as_ref()) + doubt,
            cell(most(|view| view.connections_opened)),
            cell(most(|view| view.connections_failed)),
            cell(most(|view| view.bytes_sent)),
            cell(most(|view| view.bytes_received)),
            cell(most(|view| view.retransmits)),
            cell(rtt),
        );
    }
    text
}

fn time(at: Option<&prost_types::Timestamp>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::new(at.seconds, 0).ok());
    at.map_or_else(|| "unknown".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let history = v1::EdgeHistory {
            client: Some(v1::Node {
                name: "a\u{1b}[2J".to_owned(),
                ..v1::Node::default()
            }),
            points: vec![
                v1::EdgePoint {
                    from: at(0),
                    complete: true,
                    client_view: Some(v1::EdgeView {
                        connections_opened: 3,
                        ..v1::EdgeView::default()
                    }),
                    ..v1::EdgePoint::default()
                },
                v1::EdgePoint {
                    from: at(60),
                    ..v1::EdgePoint::default()
                },
            ],
            ..v1::EdgeHistory::default()
        };
        let text = table(&history);
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let lines: Vec<Vec<String>> = text.lines().map(words).collect();
        let [.., first, second] = lines.as_slice() else {
            panic!("{text}")
        };
        assert_eq!(first[..2], ["1970-01-01T00:00:00Z", "3"]);
        assert_eq!(second[..2], ["1970-01-01T00:01:00Z?", "-"]);
        assert!(!text.contains('\u{1b}'), "a name moves the cursor");
    }
}
