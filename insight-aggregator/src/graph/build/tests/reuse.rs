//! An address that changed hands.

use super::kubernetes::{deployed, index, seen, set};
use crate::graph::testing::{END, START, World, counts, edges, refused};
use crate::kubernetes::Index;
use crate::kubernetes::testing::with_pod;
use crate::model::{Eras, Level, RowKey, UnixMs};

/// `old` had 10.0.1.9 until the 4th second, `new` has it from the 6th on.
fn reused() -> Index {
    let mut index = index([
        set("old"),
        set("new"),
        set("client"),
        deployed("client-1", "client", "n1", "10.0.1.1"),
        deployed("old-1", "old", "n1", "10.0.1.9"),
    ]);
    let old = deployed("old-1", "old", "n1", "10.0.1.9");
    let meta = &old.meta;
    index.gone(
        &meta.kind,
        &meta.namespace,
        &meta.name,
        &meta.uid,
        START + 4000,
    );
    let new = with_pod(deployed("new-1", "new", "n1", "10.0.1.9"), |pod| {
        pod.started = Some(START + 6000);
    });
    index.put(new, START + 7000);
    index
}

fn at(mut world: World, from: UnixMs, to: UnixMs) -> World {
    let era = u16::try_from(from / 1000 % 1000).unwrap();
    let rows = std::mem::take(&mut world.window.rows);
    for (key, mut sum) in rows.into_pairs() {
        if key.era == 0 {
            (sum.first_seen, sum.last_seen) = (START + from, START + to);
            world.window.rows.insert(RowKey { era, ..key }, sum);
        } else {
            world.window.rows.insert(key, sum);
        }
    }
    world
}

#[test]
fn an_address_is_who_had_it_at_that_time() {
    let index = reused();
    let client = seen("n1", "client-1");
    let call = |world: World, counters| world.client(&client, "10.0.1.1", "10.0.1.9", 80, counters);
    let eras = Eras::new(index.changes_of_addresses(START, END));
    let mut world = World::new().knowing(index);
    world.window.eras = eras;
    let world = at(call(world, counts(1, 1, 1)), 1000, 2000);
    let world = at(call(world, counts(2, 2, 2)), 8000, 9000);
    let world = at(call(world, refused(4)), 4100, 5000);
    assert_eq!(
        world.edges(),
        [
            "deployment:shop/client > deployment:shop/new :80 c 2/2/2 s -",
            "deployment:shop/client > deployment:shop/old :80 c 1/1/1 s -",
            "deployment:shop/client > external:10.0.1.9 :80 c failed 4 s -",
        ]
    );
}

#[test]
fn where_nobody_knows_whose_it_was_the_servers_tell() {
    let index = reused();
    let client = seen("n1", "client-1");
    let eras = Eras::new(index.changes_of_addresses(START, END));
    let mut world = World::new().knowing(index);
    world.window.eras = eras;
    // One report of the client covers both.
    let world = at(
        world.client(&client, "10.0.1.1", "10.0.1.9", 80, counts(5, 50, 500)),
        1000,
        9000,
    );
    assert_eq!(
        world.edges(),
        ["deployment:shop/client > ambiguous:10.0.1.9:80 :80 c 5/50/500 s -"]
    );
    let by = |world: World, name: &str, counters| {
        world.server(&seen("n1", name), "10.0.1.9", "10.0.1.1", 80, counters)
    };
    let world = at(by(world, "old-1", counts(3, 300, 30)), 1000, 3000);
    let world = at(by(world, "new-1", counts(2, 200, 20)), 7000, 9000);
    assert_eq!(
        world.edges(),
        [
            "deployment:shop/client > deployment:shop/new :80 c - s 2/20/200",
            "deployment:shop/client > deployment:shop/old :80 c - s 3/30/300",
        ]
    );
}

#[test]
fn an_older_holder_does_not_get_what_a_pod_did_that_is_not_told_of_yet() {
    let index = index([
        set("old"),
        set("client"),
        deployed("client-1", "client", "n1", "10.0.1.1"),
        deployed("old-1", "old", "n1", "10.0.1.9"),
    ]);
    let client = seen("n1", "client-1");
    let by = |world: World, name: &str, counters| {
        world.server(&seen("n1", name), "10.0.1.9", "10.0.1.1", 80, counters)
    };
    let world =
        World::new()
            .knowing(index)
            .client(&client, "10.0.1.1", "10.0.1.9", 80, counts(5, 50, 500));
    // The API server is away: the old one's end was not heard of, nor the new one's beginning.
    let world = by(world, "old-1", counts(3, 300, 30));
    let world = by(world, "new-1", counts(2, 200, 20));
    assert_eq!(
        world.edges(),
        [
            "deployment:shop/client > ambiguous:10.0.1.9:80 :80 c 5/50/500 s -",
            "deployment:shop/client > deployment:shop/old :80 c - s 3/30/300",
            "deployment:shop/client > pod:uid-new-1 :80 c - s 2/20/200",
        ]
    );
    let namespaces = edges(&world.graph(Level::Namespace));
    assert_eq!(
        namespaces[0],
        "namespace:shop > ambiguous:10.0.1.9:80 :80 c 5/50/500 s -"
    );
}
