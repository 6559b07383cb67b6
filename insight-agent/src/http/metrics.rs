//! What the agent says of itself: `insight_agent_*`.

use std::fmt;

use super::page::Kind::{Counter, Gauge};
use super::page::{Label, Page, Value};
use crate::status::State;

pub(super) fn write(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let info = vec![
        ("version", state.version.to_owned()),
        ("node", state.node.clone()),
        ("boot_id", state.boot_id.clone()),
    ];
    page.family(
        Gauge,
        "insight_agent_info",
        "Which agent this is",
        [(info, Value::Whole(1))],
    )?;
    page.one(
        Gauge,
        "insight_agent_start_time_seconds",
        "When it started, Unix time",
        timestamp(state.started_unix_ms),
    )?;
    page.one(
        Gauge,
        "insight_agent_ready",
        "Whether flows can be counted and were collected once",
        flag(state.not_ready.is_none()),
    )?;
    page.family(
        Gauge,
        "insight_agent_probe_attached",
        "Whether a kernel program runs",
        state.probes.iter().map(|probe| {
            let labels: Vec<Label> = vec![
                ("probe", probe.name.to_owned()),
                ("hook", probe.hook.to_owned()),
            ];
            (labels, flag(probe.attached))
        }),
    )?;
    page.one(
        Gauge,
        "insight_agent_pinned",
        "Whether the kernel goes on counting without this agent",
        flag(state.pinned.folder.is_some()),
    )?;
    flow_map(page, state)?;
    addresses(page, state)?;
    aggregator(page, state)?;
    collection(page, state)?;
    cgroups(page, state)
}

fn flow_map(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let map = &state.flow_map;
    page.one(
        Gauge,
        "insight_agent_flow_map_entries",
        "Flows in the kernel's map",
        Value::Whole(map.used),
    )?;
    page.one(
        Gauge,
        "insight_agent_flow_map_capacity",
        "Room for flows in the kernel's map",
        Value::Whole(map.size),
    )?;
    page.one(
        Gauge,
        "insight_agent_kernel_maps_bytes",
        "Kernel memory of all maps; the flow map is the largest",
        Value::Whole(map.memory),
    )?;
    page.one(
        Counter,
        "insight_agent_flow_updates_dropped",
        "Connections opened, closed or failed whose flow found no room, counted together",
        Value::Whole(map.dropped_updates),
    )?;
    page.one(
        Counter,
        "insight_agent_flow_map_removed",
        "Entries of idle flows that were removed",
        Value::Whole(map.removed),
    )
}

fn addresses(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let addresses = &state.addresses;
    page.one(
        Gauge,
        "insight_agent_dialed_flows",
        "Flows that were dialed by another address than their socket shows",
        Value::Whole(addresses.dialed_flows as u64),
    )?;
    page.one(
        Counter,
        "insight_agent_dialed_lost",
        "Connects whose dialed address found no place",
        Value::Whole(addresses.dialed_lost),
    )?;
    page.one(
        Gauge,
        "insight_agent_translated_flows",
        "Flows that NAT is known to lead somewhere else",
        Value::Whole(addresses.translated_flows as u64),
    )?;
    page.one(
        Counter,
        "insight_agent_conntrack_questions",
        "Questions to connection tracking",
        Value::Whole(addresses.questions),
    )
}

fn aggregator(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let aggregator = &state.aggregator;
    page.one(
        Gauge,
        "insight_agent_aggregator_connected",
        "Whether the stream to the aggregator is open",
        flag(aggregator.connected),
    )?;
    page.one(
        Counter,
        "insight_agent_aggregator_reconnects",
        "Times that the stream was opened again",
        Value::Whole(aggregator.reconnects),
    )?;
    page.one(
        Counter,
        "insight_agent_batches_sent",
        "Batches put into the stream's queue",
        Value::Whole(aggregator.batches_sent),
    )?;
    page.one(
        Gauge,
        "insight_agent_batches_unacknowledged",
        "Batches that the aggregator has not acknowledged",
        Value::Whole(aggregator.unacked_batches),
    )?;
    page.family(
        Gauge,
        "insight_agent_last_ack_timestamp_seconds",
        "When a batch was last acknowledged, Unix time",
        aggregator
            .last_ack_unix_ms
            .map(|at| (Vec::new(), timestamp(at))),
    )
}

fn collection(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let collection = &state.collection;
    page.one(
        Counter,
        "insight_agent_collections",
        "Collections done",
        Value::Whole(collection.count),
    )?;
    page.family(
        Gauge,
        "insight_agent_last_collection_timestamp_seconds",
        "When the last collection ended, Unix time",
        collection
            .last_unix_ms
            .map(|at| (Vec::new(), timestamp(at))),
    )?;
    page.one(
        Gauge,
        "insight_agent_collection_seconds",
        "Duration of the last collection",
        Value::Real(collection.last.as_secs_f64()),
    )?;
    page.one(
        Gauge,
        "insight_agent_readout_seconds",
        "Duration of the last pass over the open sockets",
        Value::Real(collection.readout.as_secs_f64()),
    )?;
    page.one(
        Gauge,
        "insight_agent_threads_seconds",
        "Duration of the last pass over all threads; about 0 without --sched",
        Value::Real(collection.threads.as_secs_f64()),
    )?;
    page.one(
        Counter,
        "insight_agent_cgroup_updates_dropped",
        "Waits and OOM kills lost because the kernel's map of cgroups was full",
        Value::Whole(collection.cgroup_updates_dropped),
    )?;
    page.one(
        Counter,
        "insight_agent_threads_postponed",
        "Readings of threads that found no room in the kernel's map: these are counted when they end",
        Value::Whole(collection.threads_postponed),
    )
}

fn cgroups(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let cgroups = &state.cgroups;
    let gauges = [
        (
            "insight_agent_cgroups",
            "Cgroups that are there",
            cgroups.known as u64,
        ),
        (
            "insight_agent_cgroups_remembered",
            "Names kept of cgroups that are gone",
            cgroups.remembered as u64,
        ),
        (
            "insight_agent_cgroups_over_limit",
            "Cgroups left out because there are too many",
            cgroups.over_limit,
        ),
        (
            "insight_agent_cgroups_unreadable",
            "Cgroup directories that could not be read",
            cgroups.unreadable,
        ),
        (
            "insight_agent_metric_samples",
            "CPU and memory samples in the last collection",
            cgroups.samples as u64,
        ),
    ];
    for (name, help, value) in gauges {
        page.one(Gauge, name, help, Value::Whole(value))?;
    }
    let counters = [
        (
            "insight_agent_cgroup_walks",
            "Walks over the cgroup tree",
            cgroups.walks,
        ),
        (
            "insight_agent_cgroup_names_missing",
            "Owners of flows that got no name",
            cgroups.unnamed,
        ),
        (
            "insight_agent_cgroup_names_evicted",
            "Names of gone cgroups dropped early",
            cgroups.evicted,
        ),
        (
            "insight_agent_metric_samples_skipped",
            "Samples left out because there were too many",
            cgroups.samples_skipped,
        ),
    ];
    for (name, help, value) in counters {
        page.one(Counter, name, help, Value::Whole(value))?;
    }
    page.one(
        Gauge,
        "insight_agent_cgroup_walk_seconds",
        "Duration of the last walk over the cgroup tree",
        Value::Real(cgroups.last_walk.as_secs_f64()),
    )
}

fn flag(is: bool) -> Value {
    Value::Whole(u64::from(is))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit 53 bits for 285,000 years"
)]
fn timestamp(unix_ms: i64) -> Value {
    Value::Real(unix_ms as f64 / 1000.0)
}
