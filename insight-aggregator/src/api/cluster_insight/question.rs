//! What is asked for.

use std::collections::BTreeSet;

use super::super::http::{Failure, Params};
use super::kinds::{self, RelationKind};
use crate::graph::{QueryText, TIMES, ZONE};
use crate::model::Level;

/// Parameters of whatever answers with resources.
pub(super) const KNOWN: [&str; 7] = [
    "namespace",
    "type",
    "root",
    "depth",
    "grain",
    "ids",
    "legacy_status",
];

/// Deepest neighbourhood; the graph is rarely deeper, and more would be the whole graph.
const MAX_DEPTH: usize = 16;

/// How finely the ends of connections are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Grain {
    Container,
    #[default]
    Pod,
    Workload,
    Service,
}

impl Grain {
    const ALL: [Self; 4] = [Self::Container, Self::Pod, Self::Workload, Self::Service];

    /// The graph's level with these ends.
    pub(super) fn level(self) -> Level {
        match self {
            Self::Container => Level::Container,
            Self::Pod => Level::Pod,
            Self::Workload => Level::Workload,
            Self::Service => Level::Service,
        }
    }
}

/// What is asked for, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Only these namespaces; empty: all.
    pub(super) namespaces: BTreeSet<String>,
    /// Types of resources as they were asked for, and of relations; empty: all.
    pub(super) types: Vec<String>,
    /// Only these relations; empty: all.
    pub(super) relations: BTreeSet<RelationKind>,
    /// Only what is near this resource.
    pub(super) root: Option<String>,
    /// How near.
    pub(super) depth: usize,
    /// How finely ends of connections are told apart.
    pub(super) grain: Grain,
    /// Ids without namespaces.
    pub(super) legacy_ids: bool,
    /// Another time than now.
    pub(super) times: Option<QueryText>,
}

impl Question {
    /// Errors: a parameter is unknown, is there twice or has no such value.
    pub(super) fn parse(params: Params) -> Result<Self, Failure> {
        let known = KNOWN.into_iter().chain(TIMES).chain([ZONE]);
        Self::parse_only(params, &known.collect::<Vec<_>>())
    }

    /// Errors: it is about another time than now.
    pub(super) fn parse_of_now(params: Params) -> Result<Self, Failure> {
        match TIMES.into_iter().find(|name| params.has(name)) {
            None => Self::parse_only(params, &KNOWN),
            Some(name) => Err(Failure::bad_request(
                format!("{name}: what changes from now on is watched"),
                format!("leave {name} out, or ask /cluster for another time"),
            )),
        }
    }

    fn parse_only(params: Params, known: &[&'static str]) -> Result<Self, Failure> {
        let mut values = params.only(known)?;
        let times = TIMES.into_iter().chain([ZONE]);
        let times = times.fold(QueryText::default(), |text, name| {
            text.with(name, values.remove(name))
        });
        check_legacy_status(values.get("legacy_status"))?;
        let mut take = |name| values.remove(name).filter(|value| !value.is_empty());
        let mut types = Vec::new();
        let mut relations = BTreeSet::new();
        for name in list(&take("type").unwrap_or_default()) {
            match RelationKind::parse(&name) {
                Some(kind) => {
                    relations.insert(kind);
                }
                None => types.push(name),
            }
        }
        let (root, depth) = (take("root"), take("depth"));
        if depth.is_some() && root.is_none() {
            return Err(Failure::bad_request(
                "depth: it says how near, but not to what",
                "add root=ID, for example root=Pod:default/web-0&depth=2",
            ));
        }
        Ok(Self {
            namespaces: list(&take("namespace").unwrap_or_default()).collect(),
            types,
            relations,
            root,
            depth: depth.map_or(Ok(1), |depth| parse_depth(&depth))?,
            grain: take("grain").map_or(Ok(Grain::default()), |grain| parse_grain(&grain))?,
            legacy_ids: match take("ids").as_deref() {
                None | Some("full") => false,
                Some("legacy") => true,
                Some(other) => {
                    return Err(Failure::bad_request(
                        format!("ids: {:?} is not known", head(other)),
                        "it is full or legacy, for example ids=legacy",
                    ));
                }
            },
            times: (times != QueryText::default()).then_some(times),
        })
    }

    /// Whether the answer may hold ends of connections.
    pub(super) fn needs_traffic(&self) -> bool {
        self.relations.is_empty() || self.relations.contains(&RelationKind::CommunicatesWith)
    }

    /// The types of resources that are asked for. `present` are the types that this cluster has.
    ///
    /// Errors: nothing is of such a type.
    pub(super) fn types(&self, present: &BTreeSet<&str>) -> Result<BTreeSet<String>, Failure> {
        self.types
            .iter()
            .map(|name| {
                kinds::parse(name, present.iter().copied()).ok_or_else(|| {
                    Failure::bad_request(
                        format!("type: {:?} is neither a type nor a relation", head(name)),
                        "name types separated by commas, for example type=Service,Pod,loadBalances",
                    )
                })
            })
            .collect()
    }
}

/// Takes the one parameter that every path has: the status itself is set where all answers pass.
pub(super) fn check_legacy_status(status: Option<&String>) -> Result<(), Failure> {
    match status.map(String::as_str) {
        None | Some("200") => Ok(()),
        Some(other) => Err(Failure::bad_request(
            format!("legacy_status: {:?} is not known", head(other)),
            "it is 200, or left out",
        )),
    }
}

/// As much of what was asked for as an error should repeat.
pub(super) fn head(text: &str) -> String {
    text.chars().take(100).collect()
}

fn list(text: &str) -> impl Iterator<Item = String> {
    let names = text.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned)
}

fn parse_depth(text: &str) -> Result<usize, Failure> {
    text.parse()
        .ok()
        .filter(|depth| *depth <= MAX_DEPTH)
        .ok_or_else(|| {
            Failure::bad_request(
                format!(
                    "depth: {:?} is not a number from 0 to {MAX_DEPTH}",
                    head(text)
                ),
                "for example depth=2",
            )
        })
}

fn parse_grain(text: &str) -> Result<Grain, Failure> {
    Grain::ALL
        .into_iter()
        .find(|grain| grain.level().as_str() == text)
        .ok_or_else(|| {
            Failure::bad_request(
                format!("grain: {:?} is not known", head(text)),
                "it is container, pod, workload or service, for example grain=workload",
            )
        })
}
