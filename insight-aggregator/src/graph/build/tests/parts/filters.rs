use super::*;

#[test]
fn what_is_kept_and_what_is_dropped_are_all() {
    let mut random = Random(0xf117e5);
    let (mut some, mut none, mut all) = (0, 0, 0);
    for round in 0..ROUNDS {
        let world = rich_world(&mut random);
        let part = ask(&mut random, round, |_| {});
        let whole = world.graph(part.level);
        let (kept, dropped): (Vec<&v1::Edge>, Vec<&v1::Edge>) = whole
            .edges
            .iter()
            .partition(|edge| is_kept(&whole, edge, &part));
        let found = graph(&world, part.clone());
        assert_eq!(found.edges.iter().collect::<Vec<_>>(), kept, "{part:?}");
        let all_sums = sums(kept.iter().chain(&dropped).copied());
        assert_eq!(all_sums, sums(whole.edges.iter()));
        // Nodes are those of the edges, as they are in the whole graph.
        let ends: BTreeSet<&str> = kept
            .iter()
            .flat_map(|edge| [&*edge.client, &*edge.server])
            .collect();
        let nodes = whole.nodes.iter().filter(|node| ends.contains(&*node.id));
        assert_eq!(found.nodes, nodes.cloned().collect::<Vec<_>>());
        match (kept.is_empty(), dropped.is_empty()) {
            (true, false) => none += 1,
            (false, true) => all += 1,
            (false, false) => some += 1,
            (true, true) => {}
        }
    }
    assert!(some > 50 && none > 50 && all > 10, "{some} {none} {all}");
}
