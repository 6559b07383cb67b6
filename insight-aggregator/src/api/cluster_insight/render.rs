//! Resources and relations as JSON, in an order that lasts.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::graph::{Graph, Relation};
use super::legacy::Called;
use super::select::Selection;
use super::time::rfc3339;
use super::{annotations, properties};
use crate::model::UnixMs;

/// Places of the chosen resources, by their ids.
pub(super) fn resources_in_order(selection: &Selection, called: &[Called]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..called.len())
        .filter(|place| selection.resources[*place])
        .collect();
    places.sort_unstable_by(|a, b| called[*a].id.cmp(&called[*b].id));
    places
}

/// The chosen relations, by source, target and type, and those between the same two by port.
pub(super) fn relations_in_order<'g>(
    graph: &'g Graph<'_>,
    selection: &Selection,
    called: &[Called],
) -> Vec<&'g Relation> {
    let mut relations: Vec<&Relation> = graph
        .relations
        .iter()
        .zip(&selection.relations)
        .filter_map(|(relation, keep)| keep.then_some(relation))
        .collect();
    let part = |relation: &Relation, name: &str| {
        let metadata = relation.metadata.as_ref();
        metadata.map_or(Value::Null, |metadata| metadata[name].clone())
    };
    relations.sort_by_cached_key(|relation| {
        (
            called[relation.source].id.as_str(),
            called[relation.target].id.as_str(),
            relation.kind.as_str(),
            part(relation, "port").as_u64(),
            part(relation, "protocol").to_string(),
        )
    });
    relations
}

/// Each of the chosen resources in turn: all at once would be many times as large as their text.
pub(super) fn resources(
    graph: &Graph<'_>,
    selection: &Selection,
    called: &[Called],
    mut each: impl FnMut(Value),
) {
    for place in resources_in_order(selection, called) {
        let (resource, called) = (&graph.resources[place], &called[place]);
        each(json!({
            "id": called.id,
            "type": resource.kind,
            "timestamp": rfc3339(resource.timestamp),
            "properties": properties::of(resource),
            "annotations": annotations::of(resource, called),
        }));
    }
}

/// Each of the chosen relations in turn.
pub(super) fn relations(
    graph: &Graph<'_>,
    selection: &Selection,
    called: &[Called],
    each: impl FnMut(Value),
) {
    let all = relations_in_order(graph, selection, called);
    all.into_iter()
        .map(|one| relation(one, called))
        .for_each(each);
}

/// Adds an item to a list.
pub(super) fn push(list: &mut String, item: &Value) {
    if !list.is_empty() {
        list.push(',');
    }
    // Writing to a text does not fail.
    let _ = write!(list, "{item}");
}

fn relation(relation: &Relation, called: &[Called]) -> Value {
    let mut json = json!({
        "source": called[relation.source].id,
        "target": called[relation.target].id,
        "type": relation.kind.as_str(),
        "timestamp": rfc3339(relation.timestamp),
        "annotations": { "label": relation.kind.as_str() },
    });
    if let Some(metadata) = &relation.metadata {
        json["annotations"]["metadata"] = metadata.clone();
    }
    json
}

/// When what was chosen was seen to change last; none: nothing was chosen.
pub(super) fn changed(graph: &Graph<'_>, selection: &Selection) -> Option<UnixMs> {
    let resources = graph.resources.iter().zip(&selection.resources);
    let resources = resources.filter_map(|(resource, keep)| keep.then_some(resource.timestamp));
    let relations = graph.relations.iter().zip(&selection.relations);
    let relations = relations.filter_map(|(relation, keep)| keep.then_some(relation.changed));
    let last = resources.chain(relations).max();
    last.map(|last| last.max(graph.shrunk.unwrap_or(last)))
}
