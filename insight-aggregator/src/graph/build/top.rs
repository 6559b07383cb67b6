//! The largest edges, and the others as one.

use std::cmp::Ordering;

use insight_proto::v1;

use super::ends::Ends;
use super::filter::size;
use super::join::{Flow, Joined, Tally, edge_id};
use crate::graph::Top;

/// Id and kind of the node that the others are at; every other id has a colon.
const OTHER: &str = "other";

/// What is not among the largest.
pub(super) struct Rest {
    /// One of them; what it says of ends is not meant.
    flow: Flow,
    tally: Tally,
    edges: usize,
}

/// Leaves the largest edges only, and sums up the others, if there are any. Of edges of one size those are left that are first by the names of their ends, so that
/// the same edges are left every time.
pub(super) fn split(joined: &mut Joined, ends: &Ends<'_>, top: Top) -> Option<Rest> {
    let kept = usize::try_from(top.edges).unwrap_or(usize::MAX);
    if joined.len() <= kept {
        return None;
    }
    let sized = |(flow, tally): (&Flow, &Tally)| (size(tally, top.by), *flow);
    let mut order: Vec<(u64, Flow)> = joined.iter().map(sized).collect();
    let (_, first, others) = order.select_nth_unstable_by(kept, |(a, flow), (b, other)| {
        b.cmp(a).then_with(|| by_names(ends, flow, other))
    });
    let mut rest = Rest {
        flow: first.1,
        tally: joined.remove(&first.1)?,
        edges: 1,
    };
    for (_, flow) in others {
        if let Some(tally) = joined.remove(flow) {
            rest.tally.add_edge(&tally);
            rest.edges += 1;
        }
    }
    Some(rest)
}

fn by_names(ends: &Ends<'_>, a: &Flow, b: &Flow) -> Ordering {
    let names = |flow: &Flow| {
        (
            ends.id(flow.client),
            ends.id(flow.server),
            flow.port,
            flow.protocol,
        )
    };
    names(a).cmp(&names(b))
}

impl Rest {
    /// Both of its ends.
    pub(super) fn node(&self) -> v1::Node {
        let edges = match self.edges {
            1 => "1 edge".to_owned(),
            edges => format!("{edges} edges"),
        };
        v1::Node {
            id: OTHER.to_owned(),
            kind: OTHER.to_owned(),
            name: format!("other ({edges})"),
            labels: [("edges".to_owned(), self.edges.to_string())].into(),
            ..v1::Node::default()
        }
    }

    /// As readers get it. It has the same id whatever is in it.
    pub(super) fn edge(&self, ends: &Ends<'_>) -> v1::Edge {
        v1::Edge {
            id: edge_id(OTHER, OTHER, "", 0),
            client: OTHER.to_owned(),
            server: OTHER.to_owned(),
            protocol: String::new(),
            port: 0,
            dialed: Vec::new(),
            dialed_services: Vec::new(),
            ..self.tally.edge(&self.flow, ends)
        }
    }
}
