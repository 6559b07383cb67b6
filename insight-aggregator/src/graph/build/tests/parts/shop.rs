//! A small world by name.

use super::*;

/// shop's web calls its db and an address outside; pay's job calls shop's db, and a unit calls pay's job.
fn shop() -> World {
    let (web, db) = (
        within("shop", pod("n1", "web")),
        within("shop", pod("n2", "db")),
    );
    let (job, cron) = (within("pay", pod("n1", "job")), unit("n1", "cron"));
    World::new()
        .client(&web, "10.0.0.1", "10.0.0.2", 5432, counts(9, 900, 90))
        .server(&db, "10.0.0.2", "10.0.0.1", 5432, counts(9, 90, 900))
        .client(&web, "10.0.0.1", "192.0.2.7", 443, counts(1, 5, 5))
        .client(&job, "10.0.0.3", "10.0.0.2", 5432, counts(2, 20, 2))
        .server(&db, "10.0.0.2", "10.0.0.3", 5432, counts(2, 2, 20))
        .client(&cron, "10.0.0.4", "10.0.0.3", 80, refused(3))
}

#[test]
fn a_namespace_has_its_callers_and_what_it_calls() {
    let ask = |ask: fn(&mut v1::GraphQuery)| {
        let graph = graph(&shop(), part(ask));
        let mut lines: Vec<String> = graph
            .edges
            .iter()
            .map(|edge| format!("{} > {}", edge.client, edge.server))
            .map(|line| {
                line.replace("pod:", "")
                    .replace("external:", "")
                    .replace("unit:n1/", "")
            })
            .collect();
        lines.sort();
        lines
    };
    let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let shop = ask(|query| query.namespaces = vec!["shop".to_owned()]);
    assert_eq!(shop, named(&["job > db", "web > 192.0.2.7", "web > db"]));
    let world = ask(|query| {
        query.namespaces = vec!["shop".to_owned()];
        query.kinds = vec!["external".to_owned()];
    });
    assert_eq!(world, named(&["web > 192.0.2.7"]));
    let database = ask(|query| {
        query.ports = vec!["5000-5999".to_owned()];
        query.min_connections = 3;
    });
    assert_eq!(database, named(&["web > db"]));
    // Filters come first: the walk goes along what they keep.
    let walk = ask(|query| {
        query.ports = vec!["5432".to_owned()];
        query.focus = "pod:job".to_owned();
        query.hops = Some(2);
    });
    assert_eq!(walk, named(&["job > db", "web > db"]));
    let largest = ask(|query| {
        query.top = Some(1);
        query.top_by = "failures".to_owned();
    });
    assert_eq!(largest, named(&["cron > job", "other > other"]));
}

#[test]
fn rows_of_both_sides_are_sized_by_the_larger() {
    let mut world = shop();
    for (key, sum) in world.window.rows.iter_mut() {
        if key.side == Side::Server {
            sum.counters.bytes_sent = 7_000;
        }
    }
    let kept = |least: u64| {
        graph(&world, part(|query| query.min_bytes = least))
            .edges
            .len()
    };
    assert_eq!(
        [
            kept(0),
            kept(1),
            kept(10),
            kept(11),
            kept(7_900),
            kept(7_901)
        ],
        [4, 3, 3, 2, 1, 0]
    );
}
