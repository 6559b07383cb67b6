//! The aggregator's own numbers.

use super::super::http::Http;
use super::text::{Kind, Text};

/// Writes the aggregator's own numbers.
pub(super) fn write(http: &Http, totals_overflowed: u64, text: &mut Text) {
    text.family(
        "insight_aggregator_build_info",
        Kind::Gauge,
        "Always 1; the label is the version.",
    );
    text.sample([("version", env!("CARGO_PKG_VERSION"))], 1);
    ingest(http, text);
    ledger(http, totals_overflowed, text);
    readers(http, text);
}

fn ingest(http: &Http, text: &mut Text) {
    let stats = &http.ingest;
    text.single(
        "insight_aggregator_agents_connected",
        Kind::Gauge,
        "Agents that are connected.",
        http.agents.connected(),
    );
    text.family(
        "insight_aggregator_batches_total",
        Kind::Counter,
        "Batches received, by what became of them.",
    );
    for (outcome, count) in [
        ("stored", &stats.stored),
        ("duplicate", &stats.duplicates),
        ("gap", &stats.gaps),
        ("bad", &stats.bad),
        ("failed", &stats.failed),
    ] {
        text.sample([("outcome", outcome)], count.get());
    }
    text.single(
        "insight_aggregator_rows_total",
        Kind::Counter,
        "Flow rows made durable.",
        stats.rows.get(),
    );
    text.single(
        "insight_aggregator_refused_streams_total",
        Kind::Counter,
        "Agents' streams that were refused at their hello.",
        stats.refused_streams.get(),
    );
    text.summary(
        "insight_aggregator_commit_seconds",
        "Time spent making batches durable, several at once.",
        &stats.commits,
    );
    text.summary(
        "insight_aggregator_decode_seconds",
        "Time spent decoding and checking batches.",
        &stats.decodes,
    );
}

fn ledger(http: &Http, totals_overflowed: u64, text: &mut Text) {
    let stats = http.reader.ledger().stats();
    for (name, help, value) in [
        (
            "insight_aggregator_minutes_in_memory",
            "Minutes that are answered from memory.",
            stats.minutes_in_memory,
        ),
        (
            "insight_aggregator_rows_in_memory",
            "Rows of the minutes that are answered from memory.",
            stats.rows_in_memory,
        ),
        (
            "insight_aggregator_entities_in_memory",
            "Containers, units and others known in memory.",
            stats.entities_in_memory,
        ),
        (
            "insight_aggregator_total_rows",
            "Rows that the edge counters are made of.",
            stats.total_rows,
        ),
        (
            "insight_aggregator_windows",
            "Windows of time in the store.",
            stats.windows,
        ),
    ] {
        text.single(name, Kind::Gauge, help, value);
    }
    let counts = &stats.counts;
    for (name, help, value) in [
        (
            "insight_aggregator_late_rows_total",
            "Rows older than the retention, not stored.",
            counts.late_rows,
        ),
        (
            "insight_aggregator_future_batches_total",
            "Batches from clocks that are ahead, taken as of now.",
            counts.future_reports,
        ),
        (
            "insight_aggregator_unnumbered_rows_total",
            "Rows stored with their whole key because too many keys came within six hours.",
            counts.unnumbered_rows,
        ),
        (
            "insight_aggregator_dialed_lost_total",
            "Dialed addresses left out because their flow had too many.",
            counts.dialed_lost,
        ),
        (
            "insight_aggregator_windows_dropped_total",
            "Windows of time dropped because the retention was over.",
            counts.windows_dropped,
        ),
        (
            "insight_aggregator_total_rows_overflowed_total",
            "Changes that the edge counters miss because there was no room for the row.",
            totals_overflowed,
        ),
    ] {
        text.single(name, Kind::Counter, help, value);
    }
}

fn readers(http: &Http, text: &mut Text) {
    let stats = http.reader.stats();
    text.single(
        "insight_aggregator_subscribers",
        Kind::Gauge,
        "Subscribers of live graphs.",
        http.feeds.subscribers(),
    );
    text.single(
        "insight_aggregator_live_graphs",
        Kind::Gauge,
        "Different parts of the graph that are kept live.",
        http.feeds.feeds(),
    );
    text.single(
        "insight_aggregator_refused_subscribers_total",
        Kind::Counter,
        "Subscriptions refused because there were too many.",
        stats.refused_subscribers.get(),
    );
    text.family(
        "insight_aggregator_lost_notifications_total",
        Kind::Counter,
        "Subscribers told that updates were lost, by reason.",
    );
    text.sample([("reason", "slow_reader")], stats.lost_slow_reader.get());
    text.sample(
        [("reason", "unknown_token")],
        stats.lost_unknown_token.get(),
    );
    text.family(
        "insight_aggregator_query_errors_total",
        Kind::Counter,
        "Questions that got no answer, by whose fault it was.",
    );
    text.sample([("fault", "question")], stats.bad_queries.get());
    text.sample([("fault", "aggregator")], stats.failed_queries.get());
    text.summary(
        "insight_aggregator_graph_build_seconds",
        "Time spent making graphs for questions.",
        &stats.builds,
    );
    text.summary(
        "insight_aggregator_live_graph_build_seconds",
        "Time spent making graphs for subscribers.",
        &stats.feed_builds,
    );
}
