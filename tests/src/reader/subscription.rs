//! A subscriber that keeps what it was told.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use insight_proto::v1;
use insight_proto::v1::graph_event::Event;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::Streaming;

use super::edge::{self, Edge};

/// The graph as a subscriber knows it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Nodes by id.
    pub nodes: BTreeMap<String, v1::Node>,
    /// Edges by id.
    pub edges: BTreeMap<String, v1::Edge>,
    /// Snapshots so far.
    pub snapshots: u64,
    /// Deltas so far.
    pub deltas: u64,
    /// How often updates were lost so far.
    pub losses: u64,
    /// Why, each time.
    pub lost_reasons: Vec<String>,
    /// Newest token.
    pub token: String,
    /// Whether it has a snapshot that still holds.
    current: bool,
}

impl Known {
    /// All edges, to be compared.
    pub fn all_edges(&self) -> Result<Vec<Edge>> {
        edge::from_proto(&v1::Graph {
            edges: self.edges.values().cloned().collect(),
            ..v1::Graph::default()
        })
    }

    /// Applies one message. What cannot be right is an error: a delta before a snapshot, an update of the unknown, an
    /// addition of the known, a removal of the unknown, a delta between `lost` and its snapshot.
    pub fn apply(&mut self, message: v1::GraphEvent) -> Result<()> {
        match message.event.context("a message without content")? {
            Event::Snapshot(graph) => {
                self.nodes = by_id(graph.nodes, |node| &node.id);
                self.edges = by_id(graph.edges, |edge| &edge.id);
                self.snapshots += 1;
                self.current = true;
            }
            Event::Delta(delta) => {
                if !self.current {
                    bail!("a delta where a snapshot is due");
                }
                change(
                    &mut self.nodes,
                    delta.add_nodes,
                    delta.update_nodes,
                    delta.remove_nodes,
                    |node| &node.id,
                )?;
                change(
                    &mut self.edges,
                    delta.add_edges,
                    delta.update_edges,
                    delta.remove_edges,
                    |edge| &edge.id,
                )?;
                self.deltas += 1;
            }
            Event::Lost(lost) => {
                self.losses += 1;
                self.lost_reasons.push(lost.reason);
                self.current = false;
            }
        }
        self.token = message.resume_token;
        Ok(())
    }
}

fn by_id<T>(items: Vec<T>, id: impl Fn(&T) -> &String) -> BTreeMap<String, T> {
    items
        .into_iter()
        .map(|item| (id(&item).clone(), item))
        .collect()
}

fn change<T>(
    known: &mut BTreeMap<String, T>,
    add: Vec<T>,
    update: Vec<T>,
    remove: Vec<String>,
    id: impl Fn(&T) -> &String,
) -> Result<()> {
    for gone in remove {
        known
            .remove(&gone)
            .with_context(|| format!("{gone} was removed and not known"))?;
    }
    for item in add {
        let name = id(&item).clone();
        if known.insert(name.clone(), item).is_some() {
            bail!("{name} was added and known");
        }
    }
    for item in update {
        let name = id(&item).clone();
        if known.insert(name.clone(), item).is_none() {
            bail!("{name} was updated and not known");
        }
    }
    Ok(())
}

/// A running subscription. It takes nothing from its connection except during [`Subscription::wait_for`], so a test that
/// does not call that is a reader that has stopped reading; after 20 s it also seems dead, unless it [dozes](Self::doze).
pub struct Subscription {
    runtime: Rc<Runtime>,
    stream: Streaming<v1::GraphEvent>,
    /// What it knows.
    pub known: Known,
}

impl Subscription {
    pub(super) fn new(
        runtime: Rc<Runtime>,
        stream: Streaming<v1::GraphEvent>,
        known: Known,
    ) -> Self {
        Self {
            runtime,
            stream,
            known,
        }
    }

    /// Lets the connection answer pings for this long, as that of any program does which is busy with something else, and
    /// takes no message. (A program that is frozen is disconnected instead.)
    pub fn doze(&self, time: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(time).await });
    }

    /// Takes messages until a check of what is known passes. The error after `limit` has the last check's reason.
    pub fn wait_for<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut check: impl FnMut(&Known) -> Result<T>,
    ) -> Result<T> {
        let (stream, known) = (&mut self.stream, &mut self.known);
        self.runtime
            .block_on(async {
                let mut reason = None;
                let told = timeout(limit, async {
                    loop {
                        match check(known) {
                            Ok(value) => return Ok(value),
                            Err(error) => reason = Some(error),
                        }
                        let message = stream.message().await?.context("the stream ended")?;
                        known.apply(message)?;
                    }
                })
                .await;
                match (told, reason) {
                    (Ok(result), _) => result,
                    (Err(_), Some(reason)) => Err(reason),
                    (Err(elapsed), None) => Err(elapsed.into()),
                }
            })
            .with_context(|| format!("a subscriber waited for {what}"))
    }

    /// Waits for an edge that passes a check.
    pub fn wait_for_edge(
        &mut self,
        limit: Duration,
        (client, server, port): (&str, &str, u16),
        mut check: impl FnMut(&Edge) -> Result<()>,
    ) -> Result<Edge> {
        let what = format!("the edge {client} → {server}:{port}");
        self.wait_for(limit, &what, |known| {
            let edge = edge::find(&known.all_edges()?, client, server, port)?;
            check(&edge)?;
            Ok(edge)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(id: &str, port: u32) -> v1::Edge {
        v1::Edge {
            id: id.to_owned(),
            port,
            ..v1::Edge::default()
        }
    }

    fn message(event: Event) -> v1::GraphEvent {
        v1::GraphEvent {
            event: Some(event),
            resume_token: "t".to_owned(),
        }
    }

    fn snapshot(edges: Vec<v1::Edge>) -> v1::GraphEvent {
        message(Event::Snapshot(v1::Graph {
            edges,
            ..v1::Graph::default()
        }))
    }

    #[test]
    fn applies_snapshot_and_deltas() {
        let mut known = Known::default();
        known
            .apply(snapshot(vec![edge("a", 1), edge("b", 2)]))
            .unwrap();
        let delta = v1::GraphDelta {
            add_edges: vec![edge("c", 3)],
            update_edges: vec![edge("a", 4)],
            remove_edges: vec!["b".to_owned()],
            ..v1::GraphDelta::default()
        };
        known.apply(message(Event::Delta(delta))).unwrap();
        let ports: Vec<u32> = known.edges.values().map(|edge| edge.port).collect();
        assert_eq!(ports, [4, 3]);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let empty = || message(Event::Delta(v1::GraphDelta::default()));
        assert!(Known::default().apply(empty()).is_err());

        let mut known = Known::default();
        known.apply(snapshot(Vec::new())).unwrap();
        let delta = v1::GraphDelta {
            update_edges: vec![edge("a", 1)],
            ..v1::GraphDelta::default()
        };
        assert!(known.apply(message(Event::Delta(delta))).is_err());

        let mut known = Known::default();
        known.apply(snapshot(Vec::new())).unwrap();
        known
            .apply(message(Event::Lost(v1::Lost::default())))
            .unwrap();
        assert!(known.apply(empty()).is_err());
    }
}
