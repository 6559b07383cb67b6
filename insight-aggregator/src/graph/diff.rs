//! Two moments compared.

use insight_proto::v1;

use super::merge::{Pair, pairs};

/// What differs between two graphs of one level. An edge has changed when its counts have; that it was seen at another
/// time goes without saying.
pub fn diff(before: &v1::Graph, after: &v1::Graph) -> v1::GraphDiff {
    let mut diff = v1::GraphDiff::default();
    for pair in pairs(&before.nodes, &after.nodes, |node| &node.id) {
        match pair {
            Pair::Old(node) => diff.removed_nodes.push(node.clone()),
            Pair::New(node) => diff.added_nodes.push(node.clone()),
            Pair::Both(..) => {}
        }
    }
    for pair in pairs(&before.edges, &after.edges, |edge| &edge.id) {
        match pair {
            Pair::Old(edge) => diff.removed_edges.push(edge.clone()),
            Pair::New(edge) => diff.added_edges.push(edge.clone()),
            Pair::Both(old, new) if counts(old) != counts(new) => {
                diff.changed_edges.push(v1::EdgeChange {
                    before: Some(old.clone()),
                    after: Some(new.clone()),
                });
            }
            Pair::Both(..) => {}
        }
    }
    diff
}

fn counts(edge: &v1::Edge) -> (&Option<v1::EdgeView>, &Option<v1::EdgeView>) {
    (&edge.client_view, &edge.server_view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::{START, World, counts, pod};
    use crate::model::Level;

    fn called(world: World, server: &str, address: &str, bytes: u64) -> World {
        world
            .client(
                &pod("n1", "a"),
                "10.0.0.1",
                address,
                80,
                counts(1, bytes, 0),
            )
            .server(
                &pod("n1", server),
                address,
                "10.0.0.1",
                80,
                counts(1, 0, bytes),
            )
    }

    #[test]
    fn what_came_went_and_changed() {
        let before = called(World::new(), "b", "10.0.0.2", 5);
        let before = called(called(before, "c", "10.0.0.3", 5), "d", "10.0.0.4", 5);
        let after = called(World::new(), "b", "10.0.0.2", 5);
        let mut after = called(called(after, "c", "10.0.0.3", 7), "e", "10.0.0.5", 5);
        after
            .window
            .rows
            .iter_mut()
            .for_each(|(_, sum)| sum.last_seen = START + 9000);
        let (before, after) = (before.graph(Level::Workload), after.graph(Level::Workload));

        let found = diff(&before, &after);
        let nodes =
            |nodes: &[v1::Node]| nodes.iter().map(|node| node.id.clone()).collect::<Vec<_>>();
        let edges = |edges: &[v1::Edge]| {
            edges
                .iter()
                .map(|edge| edge.server.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (nodes(&found.added_nodes), nodes(&found.removed_nodes)),
            (vec!["pod:e".to_owned()], vec!["pod:d".to_owned()])
        );
        assert_eq!(
            (edges(&found.added_edges), edges(&found.removed_edges)),
            (vec!["pod:e".to_owned()], vec!["pod:d".to_owned()])
        );
        let [change] = found.changed_edges.as_slice() else {
            panic!("only c has other counts: {found:?}")
        };
        let sent = |edge: &Option<v1::Edge>| edge.as_ref().unwrap().client_view.unwrap().bytes_sent;
        assert_eq!((sent(&change.before), sent(&change.after)), (5, 7));
        assert_eq!(diff(&after, &after), v1::GraphDiff::default());
    }
}
