use insight_proto::v1;

use super::{dot, mermaid, table};
use crate::graph::build;
use crate::graph::testing::{END, START, World, counts, part, pod, query, refused, unit, within};
use crate::model::{Counters, Coverage, Level};

fn sample() -> v1::Graph {
    let server = Counters {
        active: 1,
        retransmits: 2,
        ..counts(3, 2000, 1536)
    };
    let client = Counters {
        failed_refused: 4,
        active: 1,
        retransmits: 7,
        ..counts(3, 1536, 2000)
    };
    let mut world = World::new()
        .client(
            &unit("n1", "web.service"),
            "10.0.0.1",
            "10.0.0.2",
            5432,
            client,
        )
        .server(
            &pod("n2", "dde1244b-5bb5"),
            "10.0.0.2",
            "10.0.0.1",
            5432,
            server,
        )
        .client(
            &unit("n1", "web.service"),
            "10.0.0.1",
            "192.0.2.7",
            443,
            counts(1, 5_000_000, 20),
        )
        .client(
            &unit("n1", "cron.service"),
            "127.0.0.1",
            "127.0.0.1",
            25,
            refused(2),
        );
    let silent = Coverage {
        from: START,
        to: END - 60_000,
        interval_ms: 300_000,
        live_readout: true,
        dropped_updates: 0,
        stopping: false,
    };
    world.window.coverage.insert("n1".to_owned(), vec![silent]);
    world.window.coverage.insert(
        "n2".to_owned(),
        vec![Coverage {
            interval_ms: 5000,
            ..silent
        }],
    );
    world.graph(Level::Workload)
}

/// A graph whose names try to leave their quotes.
fn hostile() -> v1::Graph {
    let names = [
        r#"a"];x["b"#,
        r"back\slash\",
        "two\nlines\u{1b}[2J",
        "`<b>|&#{%%}é`",
    ];
    let node = |(number, name): (usize, &&str)| v1::Node {
        id: format!("id\"{number}"),
        kind: "cgroup".to_owned(),
        name: (*name).to_owned(),
        ..v1::Node::default()
    };
    let edge = |client: usize, server: usize| v1::Edge {
        id: format!("{client}{server}"),
        client: format!("id\"{client}"),
        server: format!("id\"{server}"),
        protocol: "tcp".to_owned(),
        port: 80,
        ..v1::Edge::default()
    };
    v1::Graph {
        level: "workload".to_owned(),
        complete: true,
        nodes: names.iter().enumerate().map(node).collect(),
        edges: vec![edge(0, 1), edge(2, 3)],
        ..v1::Graph::default()
    }
}

#[test]
fn a_table() {
    assert_eq!(table(&sample(), None), include_str!("golden/table.txt"));
}

#[test]
fn a_table_fits_its_terminal() {
    let mut graph = sample();
    for node in &mut graph.nodes {
        node.name = format!("a long name of {}", node.name);
    }
    let rows = |columns: usize| {
        let text = table(&graph, Some(columns));
        let rows = text.lines().skip(2).take(1 + graph.edges.len());
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    for columns in 75..150 {
        for row in rows(columns) {
            assert!(row.chars().count() <= columns, "{columns}: {row}");
        }
    }
    let whole = table(&graph, None);
    assert_eq!(table(&graph, Some(150)), whole);
    // What is usual in a terminal has every column, the last one too.
    for row in rows(100) {
        assert!(
            row.ends_with("LAST SEEN") || row.ends_with("12:00:05Z"),
            "{row}"
        );
    }
    assert!(rows(100)[0].contains("RETRANS"), "{:?}", rows(100));
    assert!(rows(100)[1].starts_with("a long name"), "{:?}", rows(100));
    let narrow = table(&graph, Some(80));
    assert!(
        narrow.contains("(no room for ACTIVE, RETRANS)\n"),
        "{narrow}"
    );
    assert!(narrow.contains("LAST SEEN"), "{narrow}");
}

#[test]
fn what_was_seen_on_another_day_has_its_day() {
    let mut graph = sample();
    graph.to.as_mut().unwrap().seconds += 86_400;
    assert!(table(&graph, None).contains("2026-01-31T12:00:05Z\n"));
}

#[test]
fn a_dot_file() {
    assert_eq!(dot(&sample()), include_str!("golden/graph.dot"));
}

#[test]
fn a_mermaid_chart() {
    assert_eq!(mermaid(&sample()), include_str!("golden/graph.mmd"));
}

#[test]
fn hostile_names_stay_in_their_quotes() {
    let text = table(&hostile(), None);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains(r"two\nlines\u{1b}[2J"), "{text}");

    let text = dot(&hostile());
    assert!(
        text.contains(r#"n0 [label="a\"];x[\"b", tooltip="id\"0"];"#),
        "{text}"
    );
    assert!(
        text.contains(r#"n1 [label="back\\slash\\", tooltip="id\"1"];"#),
        "{text}"
    );
    assert!(
        text.contains(r#"n2 [label="two\\nlines\\u{1b}[2J", tooltip"#),
        "{text}"
    );

    let text = mermaid(&hostile());
    assert!(text.contains("n0[\"a#34;#93;#59;x#91;#34;b\"]\n"), "{text}");
    assert!(text.contains("n1[\"back#92;slash#92;\"]\n"), "{text}");
    assert!(
        text.contains("n3[\"#96;#60;b#62;#124;#38;#35;#123;#37;#37;#125;é#96;\"]\n"),
        "{text}"
    );
}

#[test]
fn an_empty_graph_helps() {
    let graph = World::new().graph(Level::Node);
    assert!(table(&graph, None).contains("Is an agent running?"));
    assert!(dot(&graph).contains("empty [shape=plaintext, label=\"No edges"));
    assert!(mermaid(&graph).contains("empty[\"No edges"));
}

#[test]
fn a_node_that_was_asked_for_alone_is_no_sign_of_a_missing_agent() {
    let mut graph = sample();
    graph.edges.clear();
    graph.nodes.retain(|node| node.name == "web.service");
    for text in [table(&graph, None), dot(&graph), mermaid(&graph)] {
        assert!(
            text.contains("No edges of web.service: it talked"),
            "{text}"
        );
        assert!(text.contains("0 hops"), "{text}");
        assert!(!text.contains("an agent running"), "{text}");
    }
}

#[test]
fn nodes_of_one_name_are_told_apart() {
    let world = World::new()
        .client(
            &unit("n1", "web"),
            "10.0.0.1",
            "10.0.0.2",
            80,
            counts(1, 1, 1),
        )
        .server(
            &unit("n2", "web"),
            "10.0.0.2",
            "10.0.0.1",
            80,
            counts(1, 1, 1),
        );
    let text = table(&world.graph(Level::Workload), None);
    assert!(text.contains("unit:n1/web  unit:n2/web"), "{text}");
}

#[test]
fn an_end_that_is_no_node_is_named_by_its_id() {
    let mut graph = sample();
    graph.nodes.clear();
    assert!(table(&graph, None).contains("unit:n1/web.service"));
    assert_eq!(dot(&graph).matches("tooltip=").count(), 5);
}

/// A pod in a namespace that was called by its Service's name, what `top` left, and a node without edges.
fn kubernetes() -> v1::Graph {
    let web = within("shop", pod("n1", "web"));
    let idle = within("shop", pod("n1", "idle"));
    let mut world = World::new()
        .client(
            &web,
            "10.0.0.1",
            "10.0.0.2",
            8080,
            counts(3, 1_000_000, 2_048),
        )
        .client(&web, "10.0.0.1", "192.0.2.7", 443, counts(1, 1, 1))
        .client(&web, "10.0.0.1", "192.0.2.8", 53, counts(1, 1, 1));
    world.window.entities.insert(idle.id.clone(), idle);
    let mut query = query(Level::Workload);
    query.part = part(|query| {
        query.top = Some(1);
        query.unconnected = true;
    });
    let mut graph = build(&world.window, &query, &world.index).unwrap();
    let edge = graph.edges.iter_mut().find(|edge| edge.port == 8080);
    edge.unwrap().dialed_services = [
        "shop/api:80",
        "shop/b:80",
        "shop/c:80",
        "shop/d:80",
        "shop/e:80",
    ]
    .map(str::to_owned)
    .to_vec();
    graph
}

#[test]
fn namespaces_services_the_others_and_those_without_edges_are_shown() {
    let graph = kubernetes();
    let text = table(&graph, None);
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines: Vec<Vec<String>> = text.lines().skip(2).map(words).collect();
    assert_eq!(lines[0].last().unwrap(), "VIA");
    assert_eq!(
        lines[1][..6],
        ["other", "(2", "edges)", "other", "(2", "edges)"]
    );
    assert_eq!(lines[1][6..8], ["any", "2"]);
    assert_eq!(
        lines[2][..5],
        ["shop/pod", "web…", "10.0.0.2", "8080/tcp", "3"]
    );
    let via = "shop/api:80, shop/b:80, shop/c:80 and 2 more";
    assert!(text.lines().nth(4).unwrap().ends_with(via), "{text}");
    assert!(
        text.contains("\nWithout edges:\n  pod shop/pod idle…\n\n"),
        "{text}"
    );
    let narrow = table(&graph, Some(60));
    assert!(
        narrow.contains("(no room for ACTIVE, RETRANS, LAST SEEN, VIA)"),
        "{narrow}"
    );

    let text = dot(&graph);
    let shape = "label=\"other (2 edges)\", tooltip=\"other\", shape=folder, style=dashed";
    assert!(text.contains(shape), "{text}");
    assert!(text.contains("label=\"shop/pod idle…\""), "{text}");
    assert!(
        text.contains(&format!("[label=\"8080/tcp via {via}\\n3 connections")),
        "{text}"
    );
    assert!(text.contains("[label=\"any\\n2 connections"), "{text}");
    let text = mermaid(&graph);
    assert!(text.contains("[/\"other #40;2 edges#41;\"/]"), "{text}");
    assert!(text.contains("[\"shop/pod idle…\"]"), "{text}");
    assert!(text.contains(&format!("8080/tcp via {via}<br/>")), "{text}");
}

#[test]
fn several_nodes_without_edges_are_listed() {
    let mut graph = kubernetes();
    graph.edges.clear();
    let text = table(&graph, None);
    assert!(
        text.contains("No edges: 4 nodes talked to nobody"),
        "{text}"
    );
    assert!(text.contains("\n  pod shop/pod web…\n"), "{text}");
}
