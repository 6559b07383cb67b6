use super::*;

#[test]
fn nodes_without_edges_are_there_when_they_are_asked_for() {
    let mut random = Random(0xa10e);
    let mut alone = 0;
    for round in 0..ROUNDS {
        let mut world = random.world();
        // Who is known, and has no row.
        for idle in [
            within("shop", pod("n1", "idle")),
            within("pay", pod("n2", "idler")),
            unit("n1", "idle.service"),
        ] {
            world.window.entities.insert(idle.id.clone(), idle);
        }
        let part = ask(&mut random, round, |query| query.unconnected = true);
        let without = Part {
            unconnected: false,
            ..part.clone()
        };
        let everything = Part {
            level: part.level,
            unconnected: true,
            ..Part::default()
        };
        let (found, edges) = (graph(&world, part.clone()), graph(&world, without));
        assert_eq!(found.edges, edges.edges);
        let (everything, whole) = (graph(&world, everything), world.graph(part.level));
        let connected: BTreeSet<&str> = whole.nodes.iter().map(|node| &*node.id).collect();
        let mut expected: BTreeMap<&str, &v1::Node> =
            edges.nodes.iter().map(|node| (&*node.id, node)).collect();
        for node in &everything.nodes {
            let is_asked_for = met(&everything, &node.id, &part) == [true, true];
            if !connected.contains(&*node.id) && is_asked_for {
                expected.insert(&node.id, node);
                alone += 1;
            }
        }
        let expected: Vec<v1::Node> = expected.into_values().cloned().collect();
        assert_eq!(found.nodes, expected, "{part:?}");
        if part.level == Level::Workload {
            let ids: Vec<&str> = everything.nodes.iter().map(|node| &*node.id).collect();
            assert!(ids.contains(&"pod:idle") && ids.contains(&"unit:n1/idle.service"));
        }
    }
    assert!(alone > 200, "{alone}");
}
