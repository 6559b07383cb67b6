//! Edges of the dependency graph become relations.

use std::collections::HashMap;

use insight_proto::v1;
use serde_json::{Value, json};

use super::super::kinds::RelationKind;
use super::super::time::{rfc3339, unix_ms};
use super::Relation;
use super::build::Builder;
use super::ends::Ends;

pub(super) fn add(builder: &mut Builder<'_>) {
    let Some(traffic) = &builder.snapshot.traffic else {
        return;
    };
    let ends = Ends::new(builder);
    let nodes: HashMap<&str, &v1::Node> = traffic
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    for edge in &traffic.edges {
        let (Some(client), Some(server)) = (
            nodes.get(edge.client.as_str()),
            nodes.get(edge.server.as_str()),
        ) else {
            continue;
        };
        let at = unix_ms(edge.first_seen.as_ref());
        let source = ends.find_or_add(builder, client, at);
        let target = ends.find_or_add(builder, server, at);
        builder.push(Relation {
            source,
            target,
            kind: RelationKind::CommunicatesWith,
            timestamp: at,
            changed: unix_ms(edge.last_seen.as_ref()),
            metadata: Some(metadata(edge)),
        });
    }
}

/// What was counted. The two ends' counts are never added: the client's are shown where there are any.
fn metadata(edge: &v1::Edge) -> Value {
    let (counted_at, view) = match (&edge.client_view, &edge.server_view) {
        (Some(view), _) => ("client", *view),
        (None, Some(view)) => ("server", *view),
        (None, None) => ("nobody", v1::EdgeView::default()),
    };
    let mut metadata = json!({
        "edge": edge.id,
        "protocol": edge.protocol,
        "port": edge.port,
        "counted_at": counted_at,
        "bytes_sent": view.bytes_sent,
        "bytes_received": view.bytes_received,
        "connections": view.connections_opened,
        "active": view.active,
        "failed": view.connections_failed,
        "retransmits": view.retransmits,
        "rtt_us": view.rtt.map(|rtt| json!({ "p50": rtt.p50_us, "p90": rtt.p90_us, "p99": rtt.p99_us })),
        "first_seen": rfc3339(unix_ms(edge.first_seen.as_ref())),
        "last_seen": rfc3339(unix_ms(edge.last_seen.as_ref())),
    });
    if !edge.dialed.is_empty() {
        metadata["dialed"] = edge.dialed.as_slice().into();
    }
    for (name, is_so) in [
        ("role_unknown", edge.role_unknown),
        ("loopback", edge.loopback),
        ("own", edge.own),
    ] {
        if is_so {
            metadata[name] = true.into();
        }
    }
    metadata
}
