//! `?ids=legacy`: ids without namespaces, as Cluster Insight had them.

use std::collections::HashMap;

use super::graph::{Graph, Resource, Subject};
use super::kinds::CONTAINER;

/// How a resource is called in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    /// Its id.
    pub(super) id: String,
    /// The id without namespace that it would share with another one.
    pub(super) alias: Option<String>,
}

/// Full ids.
pub(super) fn full(graph: &Graph<'_>) -> Vec<Called> {
    graph
        .resources
        .iter()
        .map(|resource| Called {
            id: resource.id.clone(),
            alias: None,
        })
        .collect()
}

/// Ids without namespaces. Where two resources would have the same, both keep their full ones and say which it is: nothing is dropped, and no
/// relation leads to two.
pub(super) fn short(graph: &Graph<'_>) -> Vec<Called> {
    let mut owners: HashMap<String, usize> = HashMap::new();
    for resource in &graph.resources {
        *owners.entry(short_id(resource)).or_default() += 1;
    }
    graph
        .resources
        .iter()
        .map(|resource| {
            let short = short_id(resource);
            if owners.get(&short) == Some(&1) {
                Called {
                    id: short,
                    alias: None,
                }
            } else {
                Called {
                    id: resource.id.clone(),
                    alias: Some(short),
                }
            }
        })
        .collect()
}

/// The id that Cluster Insight gave it.
pub(super) fn short_id(resource: &Resource<'_>) -> String {
    match resource.subject {
        Subject::Container(_, container) if container.id.is_empty() => {
            format!("{CONTAINER}:{}", container.name)
        }
        Subject::Container(..) | Subject::Image(_) | Subject::Cluster | Subject::End(_) => {
            resource.id.clone()
        }
        Subject::Object(_) | Subject::Named => format!("{}:{}", resource.kind, resource.name),
    }
}
