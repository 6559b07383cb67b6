use super::*;

#[test]
fn the_largest_and_the_others_are_all() {
    let mut random = Random(0x709);
    let (mut summed, mut ids) = (0, BTreeSet::new());
    for round in 0..ROUNDS {
        let world = rich_world(&mut random);
        let by = [TopBy::Bytes, TopBy::Connections, TopBy::Failures][random.below(3) as usize];
        let most = random.below(8) as u32;
        let filtered = ask(&mut random, round, |query| {
            // Of every second graph all edges, so that there are many.
            if round % 2 == 0 {
                *query = v1::GraphQuery {
                    level: query.level.clone(),
                    ..v1::GraphQuery::default()
                };
            }
        });
        let mut cut = filtered.clone();
        cut.top = Some(crate::graph::Top { edges: most, by });
        let (whole, top) = (graph(&world, filtered), graph(&world, cut.clone()));
        assert_eq!(sums(top.edges.iter()), sums(whole.edges.iter()));
        assert_eq!(graph(&world, cut), top, "the same edges every time");
        let (others, largest): (Vec<&v1::Edge>, Vec<&v1::Edge>) =
            top.edges.iter().partition(|edge| edge.client == "other");
        assert_eq!(largest.len(), whole.edges.len().min(most as usize));
        assert!(largest.iter().all(|edge| whole.edges.contains(edge)));
        let is_left = |edge: &&v1::Edge| !largest.contains(edge);
        let left: Vec<&v1::Edge> = whole.edges.iter().filter(is_left).collect();
        let smallest = largest.iter().map(|edge| size(edge, by)).min();
        assert!(
            left.iter()
                .all(|edge| smallest.is_none_or(|least| size(edge, by) <= least))
        );
        assert_eq!(others.len(), usize::from(!left.is_empty()));
        assert!(top.nodes.is_sorted_by(|a, b| a.id < b.id));
        assert!(top.edges.is_sorted_by(|a, b| a.id < b.id));
        let Some(other) = others.first() else {
            continue;
        };
        summed += 1;
        assert_eq!(
            (&*other.server, &*other.protocol, other.port),
            ("other", "", 0)
        );
        let seen = |edge: &&v1::Edge| edge.first_seen.unwrap().seconds;
        assert_eq!(Some(seen(other)), left.iter().map(seen).min());
        let views = |of: fn(&v1::Edge) -> bool| left.iter().any(|edge| of(edge));
        assert_eq!(
            other.client_view.is_some(),
            views(|edge| edge.client_view.is_some())
        );
        assert_eq!(
            other.server_view.is_some(),
            views(|edge| edge.server_view.is_some())
        );
        assert_eq!(other.loopback, left.iter().all(|edge| edge.loopback));
        let node = top.nodes.iter().find(|node| node.id == "other").unwrap();
        assert_eq!(
            (&*node.kind, &*node.labels["edges"]),
            ("other", &*left.len().to_string())
        );
        ids.insert(other.id.clone());
    }
    assert!(summed > 200, "{summed}");
    assert_eq!(ids.len(), 1, "its id is stable");
}
