//! What of an edge's counts is another at another time.

use insight_proto::v1;

use super::thresholds::{Counter, Thresholds};

/// How long the two times are, seconds.
pub(super) struct Scale {
    before: f64,
    after: f64,
}

impl Scale {
    pub(super) fn of(before: &v1::Graph, after: &v1::Graph) -> Self {
        let seconds = |graph: &v1::Graph| {
            let at = |at: Option<prost_types::Timestamp>| {
                at.map_or(0.0, |at| at.seconds as f64 + f64::from(at.nanos) / 1e9)
            };
            // A range that has just begun is no reason to divide by nothing.
            (at(graph.to) - at(graph.from)).max(1.0)
        };
        Self {
            before: seconds(before),
            after: seconds(after),
        }
    }
}

/// What changed beyond its threshold.
pub(super) fn changes(
    before: &v1::Edge,
    after: &v1::Edge,
    scale: &Scale,
    thresholds: &Thresholds,
) -> Vec<v1::CounterChange> {
    let views = compared(before, after);
    let value = |views: &[&v1::EdgeView], counter| {
        let values = views.iter().map(|view| count(view, counter));
        values.max().flatten()
    };
    let changed = Counter::ALL.into_iter().filter_map(|counter| {
        let (was, is) = match (value(&views.0, counter), value(&views.1, counter)) {
            (Some(was), Some(is)) => (was, is),
            // No round trip was measured at one of the times.
            _ => return None,
        };
        let is_rate = counter != Counter::Rtt;
        let factor = if is_rate {
            scale.after / scale.before
        } else {
            1.0
        };
        let is_changed = thresholds.are_apart(counter, was as f64 * factor, is as f64);
        is_changed.then(|| v1::CounterChange {
            counter: counter.as_str().to_owned(),
            before: was,
            after: is,
            before_per_second: is_rate.then(|| was as f64 / scale.before),
            after_per_second: is_rate.then(|| is as f64 / scale.after),
        })
    });
    changed.collect()
}

/// The views of either time: those that there are at both, else all. What one end's agent alone has told must not look different because at the other time
/// both told.
fn compared<'e>(
    before: &'e v1::Edge,
    after: &'e v1::Edge,
) -> (Vec<&'e v1::EdgeView>, Vec<&'e v1::EdgeView>) {
    let views = |edge: &'e v1::Edge| [edge.client_view.as_ref(), edge.server_view.as_ref()];
    let (was, is) = (views(before), views(after));
    let both = was.into_iter().zip(is);
    let both: Vec<_> = both.filter_map(|(was, is)| was.zip(is)).collect();
    if both.is_empty() {
        let all = |views: [Option<&'e v1::EdgeView>; 2]| views.into_iter().flatten().collect();
        (all(was), all(is))
    } else {
        both.into_iter().unzip()
    }
}

fn count(view: &v1::EdgeView, counter: Counter) -> Option<u64> {
    match counter {
        Counter::Connections => Some(view.connections_opened),
        Counter::Bytes => Some(view.bytes_sent.saturating_add(view.bytes_received)),
        Counter::Failures => Some(view.connections_failed),
        Counter::Retransmits => Some(view.retransmits),
        Counter::Rtt => view.rtt.map(|rtt| u64::from(rtt.p90_us)),
    }
}
