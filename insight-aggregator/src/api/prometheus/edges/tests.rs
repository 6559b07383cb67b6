use super::*;
use crate::api::prometheus::parse::{Family, parse};

fn node(id: &str, name: &str) -> v1::Node {
    v1::Node {
        id: id.into(),
        name: name.into(),
        kind: "unit".into(),
        ..v1::Node::default()
    }
}

fn view(opened: u64, refused: u64) -> Option<v1::EdgeView> {
    Some(v1::EdgeView {
        connections_opened: opened,
        active: opened,
        failures: Some(v1::Failures {
            refused,
            ..v1::Failures::default()
        }),
        ..v1::EdgeView::default()
    })
}

fn edge(
    client: &str,
    by_client: Option<v1::EdgeView>,
    by_server: Option<v1::EdgeView>,
) -> v1::Edge {
    v1::Edge {
        id: format!("id of {client}"),
        client: client.into(),
        server: "s".into(),
        protocol: "tcp".into(),
        port: 80,
        client_view: by_client,
        server_view: by_server,
        ..v1::Edge::default()
    }
}

fn scrape(state: &mut State, edges: Vec<v1::Edge>, max_groups: usize) -> HashMap<String, Family> {
    let mut nodes: Vec<v1::Node> = edges
        .iter()
        .map(|edge| node(&edge.client, edge.client.trim_end_matches('\'')))
        .collect();
    nodes.push(node("s", "server"));
    let graph = v1::Graph {
        nodes,
        edges,
        ..v1::Graph::default()
    };
    let mut text = Text::default();
    state.update(&graph, max_groups);
    state.write(&mut text);
    parse(&text.finish()).unwrap().into_iter().collect()
}

fn opened(families: &HashMap<String, Family>, client: &str) -> f64 {
    families["insight_edge_connections_total"].value(&[("client", client)])
}

#[test]
fn the_servers_view_counts_connections_and_the_clients_failures() {
    let mut state = State::default();
    let families = scrape(&mut state, vec![edge("a", view(3, 7), view(2, 0))], 9);
    assert_eq!(opened(&families, "a"), 2.0);
    let failed = &families["insight_edge_connections_failed_total"];
    assert_eq!(failed.value(&[("client", "a"), ("reason", "refused")]), 7.0);
}

#[test]
fn series_never_go_back() {
    let mut state = State::default();
    scrape(&mut state, vec![edge("a", view(100, 0), None)], 9);
    // Rows were forgotten: the sum shrank.
    let families = scrape(&mut state, vec![edge("a", view(40, 0), None)], 9);
    assert_eq!(opened(&families, "a"), 100.0);
    let families = scrape(&mut state, vec![edge("a", view(45, 0), None)], 9);
    assert_eq!(opened(&families, "a"), 105.0);
    // The server's view turns up: it tells what the client's has told.
    let families = scrape(&mut state, vec![edge("a", view(50, 0), view(48, 0))], 9);
    assert_eq!(opened(&families, "a"), 110.0);
    let families = scrape(&mut state, vec![edge("a", view(60, 0), view(58, 0))], 9);
    assert_eq!(opened(&families, "a"), 120.0);
}

#[test]
fn edges_with_equal_labels_are_one_series() {
    let mut state = State::default();
    let edges = vec![edge("a", view(1, 0), None), edge("a'", view(2, 0), None)];
    assert_eq!(opened(&scrape(&mut state, edges, 9), "a"), 3.0);
    let families = scrape(&mut state, vec![edge("a'", view(5, 0), None)], 9);
    assert_eq!(opened(&families, "a"), 6.0);
    assert!(
        scrape(&mut state, vec![], 9)["insight_edge_connections_total"]
            .samples
            .is_empty()
    );
}

#[test]
fn what_has_no_room_is_in_other_and_counted() {
    let mut state = State::default();
    let edges = vec![
        edge("a", view(1, 0), None),
        edge("b", view(2, 0), None),
        edge("c", view(3, 0), None),
    ];
    let families = scrape(&mut state, edges.clone(), 1);
    assert_eq!(
        (opened(&families, "a"), opened(&families, "other")),
        (1.0, 5.0)
    );
    assert_eq!(families["insight_edge_series_in_other"].value(&[]), 2.0);
    // An edge keeps its place, and what was once in other stays there.
    let families = scrape(&mut state, edges[1..].to_vec(), 1);
    assert_eq!(opened(&families, "other"), 5.0);
    let families = scrape(&mut state, edges, 1);
    assert_eq!(
        (opened(&families, "a"), opened(&families, "other")),
        (1.0, 5.0)
    );
}
