//! The graph's JSON: the same from HTTP and from the command line.
//!
//! Keys are in the order of the messages' fields. Times are RFC 3339 in UTC with milliseconds, counts are integers, a
//! view that no agent saw is `null`.

mod diff;
mod history;

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::v1;

pub use diff::diff;
pub use history::history;

/// A graph.
pub fn graph(graph: &v1::Graph) -> Value {
    json!({
        "from": time(graph.from.as_ref()),
        "to": time(graph.to.as_ref()),
        "level": graph.level,
        "complete": graph.complete,
        "gaps": list(&graph.gaps, gap),
        "nodes": list(&graph.nodes, node),
        "edges": list(&graph.edges, edge),
    })
}

/// One edge.
pub fn edge(edge: &v1::Edge) -> Value {
    json!({
        "id": edge.id,
        "client": edge.client,
        "server": edge.server,
        "protocol": edge.protocol,
        "port": edge.port,
        "dialed": edge.dialed,
        "first_seen": time(edge.first_seen.as_ref()),
        "last_seen": time(edge.last_seen.as_ref()),
        "client_view": edge.client_view.as_ref().map(view),
        "server_view": edge.server_view.as_ref().map(view),
        "role_unknown": edge.role_unknown,
        "loopback": edge.loopback,
        "own": edge.own,
        "dialed_services": edge.dialed_services,
    })
}

/// Changes to a graph.
pub fn delta(delta: &v1::GraphDelta) -> Value {
    json!({
        "to": time(delta.to.as_ref()),
        "add_nodes": list(&delta.add_nodes, node),
        "update_nodes": list(&delta.update_nodes, node),
        "remove_nodes": delta.remove_nodes,
        "add_edges": list(&delta.add_edges, edge),
        "update_edges": list(&delta.update_edges, edge),
        "remove_edges": delta.remove_edges,
        "complete": delta.complete,
        "gaps": list(&delta.gaps, gap),
    })
}

fn gap(gap: &v1::Gap) -> Value {
    json!({
        "node": gap.node,
        "from": time(gap.from.as_ref()),
        "to": time(gap.to.as_ref()),
        "reason": gap.reason,
        "detail": gap.detail,
    })
}

fn node(node: &v1::Node) -> Value {
    let mut json = json!({
        "id": node.id,
        "kind": node.kind,
        "name": node.name,
        "namespace": node.namespace,
        "node": node.node,
        "labels": texts(&node.labels),
        "kubernetes_labels": texts(&node.kubernetes_labels),
        "zone": node.zone,
        "workload": node.workload,
        "services": node.services,
    });
    if let Some(sample) = &node.metrics {
        json["metrics"] = metrics(sample);
    }
    json
}

/// In order of the keys.
fn texts(labels: &HashMap<String, String>) -> Map<String, Value> {
    let mut labels: Vec<_> = labels.iter().collect();
    labels.sort_unstable();
    labels
        .into_iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect()
}

/// Unknown figures and limits that do not exist have no key.
fn metrics(metrics: &v1::NodeMetrics) -> Value {
    let mut json = json!({ "at": time(metrics.at.as_ref()) });
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            json[key] = value;
        }
    };
    let float = |value: Option<f64>| value.map(Value::from);
    let count = |value: Option<u64>| value.map(Value::from);
    put(
        "cpu_usage_seconds_total",
        float(metrics.cpu_usage_seconds_total),
    );
    put("cpu_limit_cores", float(metrics.cpu_limit_cores));
    put(
        "cpu_throttled_seconds_total",
        float(metrics.cpu_throttled_seconds_total),
    );
    put(
        "memory_working_set_bytes",
        count(metrics.memory_working_set_bytes),
    );
    put("memory_limit_bytes", count(metrics.memory_limit_bytes));
    put("oom_kills_total", count(metrics.oom_kills_total));
    put(
        "cpu_run_delay_seconds_total",
        float(metrics.cpu_run_delay_seconds_total),
    );
    put("cpu_runs_total", count(metrics.cpu_runs_total));
    json
}

fn view(view: &v1::EdgeView) -> Value {
    let failures = view.failures.unwrap_or_default();
    let mut json = json!({
        "connections_opened": view.connections_opened,
        "connections_closed": view.connections_closed,
        "connections_failed": view.connections_failed,
        "active": view.active,
        "bytes_sent": view.bytes_sent,
        "bytes_received": view.bytes_received,
        "retransmits": view.retransmits,
        "failures": {
            "refused": failures.refused,
            "timed_out": failures.timed_out,
            "unreachable": failures.unreachable,
            "other": failures.other,
        },
        "resets": view.resets,
        "bytes_retransmitted": view.bytes_retransmitted,
        "syn_retransmits": view.syn_retransmits,
        "messages_sent": view.messages_sent,
        "messages_received": view.messages_received,
    });
    for (name, times) in [("rtt", view.rtt), ("connect", view.connect)] {
        json[name] = times.map_or(Value::Null, |times| {
            json!({
                "count": times.count,
                "p50_us": times.p50_us,
                "p90_us": times.p90_us,
                "p99_us": times.p99_us,
            })
        });
    }
    json
}

/// `null` for a time that is missing or that RFC 3339 cannot write.
fn time(at: Option<&prost_types::Timestamp>) -> Value {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
        .map_or(Value::Null, |at| Value::from(format!("{at:.3}")))
}

fn list<T>(items: &[T], json: impl Fn(&T) -> Value) -> Value {
    items.iter().map(json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: i32) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos })
    }

    fn sample_edge() -> v1::Edge {
        v1::Edge {
            id: "00ff00ff00ff00ff".to_owned(),
            client: "unit:n1/a.service".to_owned(),
            server: "external:192.0.2.7".to_owned(),
            protocol: "tcp".to_owned(),
            port: 7001,
            dialed: vec!["10.96.0.1:80".to_owned()],
            first_seen: at(1_769_860_800, 0),
            last_seen: at(1_769_860_801, 250_000_000),
            client_view: Some(v1::EdgeView {
                connections_opened: 3,
                connections_closed: 2,
                connections_failed: 10,
                active: 1,
                bytes_sent: u64::MAX,
                bytes_received: 5,
                retransmits: 6,
                failures: Some(v1::Failures {
                    refused: 1,
                    timed_out: 2,
                    unreachable: 3,
                    other: 4,
                }),
                resets: 7,
                bytes_retransmitted: 8,
                syn_retransmits: 9,
                rtt: Some(v1::Times {
                    count: 10,
                    p50_us: 11,
                    p90_us: 12,
                    p99_us: 13,
                }),
                connect: None,
                messages_sent: 14,
                messages_received: 15,
            }),
            server_view: None,
            role_unknown: false,
            loopback: true,
            own: false,
            dialed_services: vec!["shop/web:80".to_owned()],
        }
    }

    const EDGE: &str = r#"{"id":"00ff00ff00ff00ff","client":"unit:n1/a.service","server":"external:192.0.2.7","protocol":"tcp","port":7001,"dialed":["10.96.0.1:80"],"first_seen":"2026-01-31T12:00:00.000Z","last_seen":"2026-01-31T12:00:01.250Z","client_view":{"connections_opened":3,"connections_closed":2,"connections_failed":10,"active":1,"bytes_sent":18446744073709551615,"bytes_received":5,"retransmits":6,"failures":{"refused":1,"timed_out":2,"unreachable":3,"other":4},"resets":7,"bytes_retransmitted":8,"syn_retransmits":9,"messages_sent":14,"messages_received":15,"rtt":{"count":10,"p50_us":11,"p90_us":12,"p99_us":13},"connect":null},"server_view":null,"role_unknown":false,"loopback":true,"own":false,"dialed_services":["shop/web:80"]}"#;

    #[test]
    fn an_edge_keeps_the_order_of_its_keys() {
        assert_eq!(edge(&sample_edge()).to_string(), EDGE);
    }

    #[test]
    fn a_graph_is_written_whole() {
        let labels = [("unit", "a.service"), ("cgroup", "/x")];
        let node = v1::Node {
            id: "unit:n1/a.service".to_owned(),
            kind: "unit".to_owned(),
            name: "a.\"service\"".to_owned(),
            namespace: "shop".to_owned(),
            node: "n1".to_owned(),
            kubernetes_labels: [("tier", "web"), ("app", "a")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            zone: "z1".to_owned(),
            workload: "deployment:shop/a".to_owned(),
            services: vec!["shop/a".to_owned()],
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            metrics: Some(v1::NodeMetrics {
                at: at(1_769_860_800, 0),
                cpu_usage_seconds_total: Some(1.5),
                memory_working_set_bytes: Some(4096),
                cpu_run_delay_seconds_total: Some(0.25),
                cpu_runs_total: Some(9),
                ..v1::NodeMetrics::default()
            }),
        };
        let bare = v1::Node {
            id: node.id.clone(),
            ..v1::Node::default()
        };
        let gap = v1::Gap {
            node: "n1".to_owned(),
            from: at(1_769_860_800, 0),
            to: at(1_769_860_860, 0),
            reason: "agent_silent".to_owned(),
            detail: "no report".to_owned(),
        };
        let whole = v1::Graph {
            from: at(1_769_860_800, 0),
            to: None,
            level: "workload".to_owned(),
            complete: false,
            gaps: vec![gap],
            nodes: vec![node, bare],
            edges: vec![sample_edge()],
        };
        let expected = [
            r#"{"from":"2026-01-31T12:00:00.000Z","to":null,"level":"workload","complete":false,"#,
            r#""gaps":[{"node":"n1","from":"2026-01-31T12:00:00.000Z","to":"2026-01-31T12:01:00.000Z","reason":"agent_silent","detail":"no report"}],"#,
            r#""nodes":[{"id":"unit:n1/a.service","kind":"unit","name":"a.\"service\"","namespace":"shop","node":"n1","labels":{"cgroup":"/x","unit":"a.service"},"#,
            r#""kubernetes_labels":{"app":"a","tier":"web"},"zone":"z1","workload":"deployment:shop/a","services":["shop/a"],"#,
            r#""metrics":{"at":"2026-01-31T12:00:00.000Z","cpu_usage_seconds_total":1.5,"memory_working_set_bytes":4096,"cpu_run_delay_seconds_total":0.25,"cpu_runs_total":9}},"#,
            r#"{"id":"unit:n1/a.service","kind":"","name":"","namespace":"","node":"","labels":{},"kubernetes_labels":{},"zone":"","workload":"","services":[]}],"#,
            r#""edges":["#,
            EDGE,
            "]}",
        ];
        assert_eq!(graph(&whole).to_string(), expected.concat());
    }

    #[test]
    fn changes_name_every_list() {
        let changes = v1::GraphDelta {
            to: at(0, 0),
            remove_edges: vec!["a".to_owned()],
            update_edges: vec![sample_edge()],
            complete: true,
            ..v1::GraphDelta::default()
        };
        let expected = format!(
            r#"{{"to":"1970-01-01T00:00:00.000Z","add_nodes":[],"update_nodes":[],"remove_nodes":[],"add_edges":[],"update_edges":[{EDGE}],"remove_edges":["a"],"complete":true,"gaps":[]}}"#
        );
        assert_eq!(delta(&changes).to_string(), expected);
    }
}
