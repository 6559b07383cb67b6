//! What of the graph was asked for.

use std::collections::{BTreeSet, VecDeque};

use super::super::http::Failure;
use super::graph::{Graph, Relation, Resource};
use super::kinds::{CLUSTER, RelationKind};
use super::legacy::short_id;
use super::question::{Question, head};
use crate::kubernetes::object::ApiKind;

/// Which resources and relations are answered.
pub(super) struct Selection {
    /// By place among the resources.
    pub(super) resources: Vec<bool>,
    /// By place among the relations.
    pub(super) relations: Vec<bool>,
}

/// Chooses what was asked for.
///
/// Errors: the root is not there, or several have its name; there is no such type.
pub(super) fn select(graph: &Graph<'_>, question: &Question) -> Result<Selection, Failure> {
    let mut resources = vec![true; graph.resources.len()];
    if let Some(root) = &question.root {
        resources = near(graph, find(graph, root)?, question.depth);
    }
    let mut relations: Vec<bool> = graph
        .relations
        .iter()
        .map(|relation| resources[relation.source] && resources[relation.target])
        .collect();
    if !question.namespaces.is_empty() {
        within(graph, &question.namespaces, &mut resources, &mut relations);
    }
    if !question.types.is_empty() {
        let present = graph.resources.iter().map(|resource| &*resource.kind);
        let types = question.types(&present.collect())?;
        for (keep, resource) in resources.iter_mut().zip(&graph.resources) {
            *keep &= types.contains(&*resource.kind);
        }
    }
    for (keep, relation) in relations.iter_mut().zip(&graph.relations) {
        *keep &= resources[relation.source]
            && resources[relation.target]
            && (question.relations.is_empty() || question.relations.contains(&relation.kind));
    }
    Ok(Selection {
        resources,
        relations,
    })
}

/// The resource of this id, or of this id without namespace.
fn find(graph: &Graph<'_>, root: &str) -> Result<usize, Failure> {
    let with = |fits: &dyn Fn(&Resource<'_>) -> bool| -> Vec<usize> {
        (0..graph.resources.len())
            .filter(|place| fits(&graph.resources[*place]))
            .collect()
    };
    let mut found = with(&|resource| resource.id == root);
    if found.is_empty() {
        found = with(&|resource| short_id(resource) == root);
    }
    match found[..] {
        [place] => Ok(place),
        [] => Err(Failure::not_found(
            format!("root: there is no {:?}", head(root)),
            "ids are those of /cluster/resources, for example root=Pod:default/web-0",
        )),
        [first, second, ..] => Err(Failure::bad_request(
            format!("root: {:?} is the name of several", head(root)),
            format!(
                "give the whole id, for example {} or {}",
                graph.resources[first].id, graph.resources[second].id
            ),
        )),
    }
}

/// What is at most `depth` relations away, in either direction. Everything is in the cluster, so no way leads through that.
fn near(graph: &Graph<'_>, root: usize, depth: usize) -> Vec<bool> {
    let mut neighbours = vec![Vec::new(); graph.resources.len()];
    for relation in &graph.relations {
        neighbours[relation.source].push(relation.target);
        neighbours[relation.target].push(relation.source);
    }
    let mut reached = vec![false; graph.resources.len()];
    reached[root] = true;
    let mut next = VecDeque::from([(root, 0)]);
    while let Some((place, distance)) = next.pop_front() {
        let is_through = place == root || graph.resources[place].kind != CLUSTER;
        if distance == depth || !is_through {
            continue;
        }
        for &neighbour in &neighbours[place] {
            if !reached[neighbour] {
                reached[neighbour] = true;
                next.push_back((neighbour, distance + 1));
            }
        }
    }
    reached
}

/// Keeps what is in these namespaces, with what it is related to that has none, and whom it talks to wherever they are.
fn within(
    graph: &Graph<'_>,
    namespaces: &BTreeSet<String>,
    resources: &mut [bool],
    relations: &mut [bool],
) {
    let is_inside = |resource: &Resource<'_>| {
        namespaces.contains(resource.namespace)
            || resource.kind == ApiKind::Namespace.name() && namespaces.contains(resource.name)
    };
    let inside: Vec<bool> = graph.resources.iter().map(is_inside).collect();
    let mut kept = inside.clone();
    for relation in &graph.relations {
        for (one, other) in ends(relation) {
            let is_met = relation.kind == RelationKind::CommunicatesWith
                || graph.resources[other].namespace.is_empty();
            kept[other] |= inside[one] && is_met;
        }
    }
    for (keep, relation) in relations.iter_mut().zip(&graph.relations) {
        let is_talk = relation.kind == RelationKind::CommunicatesWith;
        *keep &= !is_talk || inside[relation.source] || inside[relation.target];
    }
    for (keep, kept) in resources.iter_mut().zip(kept) {
        *keep &= kept;
    }
}

fn ends(relation: &Relation) -> [(usize, usize); 2] {
    [
        (relation.source, relation.target),
        (relation.target, relation.source),
    ]
}
