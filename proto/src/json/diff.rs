//! Two times compared, in JSON.

use serde_json::{Value, json};

use super::{edge, gap, list, node, time};
use crate::v1;

/// Two times compared.
pub fn diff(diff: &v1::GraphDiff) -> Value {
    json!({
        "before": diff.before.as_ref().map(side),
        "after": diff.after.as_ref().map(side),
        "level": diff.level,
        "added_nodes": list(&diff.added_nodes, node),
        "removed_nodes": list(&diff.removed_nodes, node),
        "changed_nodes": list(&diff.changed_nodes, node_change),
        "perhaps_added_nodes": list(&diff.perhaps_added_nodes, node),
        "perhaps_removed_nodes": list(&diff.perhaps_removed_nodes, node),
        "added_edges": list(&diff.added_edges, edge),
        "removed_edges": list(&diff.removed_edges, edge),
        "changed_edges": list(&diff.changed_edges, edge_change),
        "perhaps_added_edges": list(&diff.perhaps_added_edges, edge),
        "perhaps_removed_edges": list(&diff.perhaps_removed_edges, edge),
        "unchanged_edges": diff.unchanged_edges,
        "left_out_edges": diff.left_out_edges,
        "nodes": list(&diff.nodes, node),
        "thresholds": list(&diff.thresholds, threshold),
    })
}

fn side(side: &v1::graph_diff::Side) -> Value {
    json!({
        "from": time(side.from.as_ref()),
        "to": time(side.to.as_ref()),
        "complete": side.complete,
        "gaps": list(&side.gaps, gap),
    })
}

fn edge_change(change: &v1::EdgeChange) -> Value {
    json!({
        "before": change.before.as_ref().map(edge),
        "after": change.after.as_ref().map(edge),
        "counters": list(&change.counters, counter),
        "uncertain": change.uncertain,
    })
}

fn counter(change: &v1::CounterChange) -> Value {
    json!({
        "counter": change.counter,
        "before": change.before,
        "after": change.after,
        "before_per_second": change.before_per_second,
        "after_per_second": change.after_per_second,
    })
}

fn node_change(change: &v1::NodeChange) -> Value {
    json!({
        "before": change.before.as_ref().map(node),
        "after": change.after.as_ref().map(node),
        "fields": change.fields,
    })
}

fn threshold(threshold: &v1::Threshold) -> Value {
    json!({
        "counter": threshold.counter,
        "relative": threshold.relative,
        "absolute": threshold.absolute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_named() {
        let compared = v1::GraphDiff {
            level: "node".to_owned(),
            changed_edges: vec![v1::EdgeChange {
                counters: vec![v1::CounterChange {
                    counter: "rtt".to_owned(),
                    before: 7,
                    after: 9,
                    ..v1::CounterChange::default()
                }],
                uncertain: true,
                ..v1::EdgeChange::default()
            }],
            unchanged_edges: 3,
            ..v1::GraphDiff::default()
        };
        let expected = concat!(
            r#"{"before":null,"after":null,"level":"node","added_nodes":[],"removed_nodes":[],"changed_nodes":[],"#,
            r#""perhaps_added_nodes":[],"perhaps_removed_nodes":[],"added_edges":[],"removed_edges":[],"#,
            r#""changed_edges":[{"before":null,"after":null,"counters":[{"counter":"rtt","before":7,"after":9,"#,
            r#""before_per_second":null,"after_per_second":null}],"uncertain":true}],"#,
            r#""perhaps_added_edges":[],"perhaps_removed_edges":[],"unchanged_edges":3,"left_out_edges":0,"nodes":[],"thresholds":[]}"#,
        );
        assert_eq!(diff(&compared).to_string(), expected);
    }
}
