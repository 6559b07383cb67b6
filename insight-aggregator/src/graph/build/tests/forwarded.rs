//! What a node leads on to its pods with its own address in the place of the client's.

use super::kubernetes::{LONG_AGO, deployed, seen, shop};
use crate::graph::testing::{World, counts};
use crate::kubernetes::object::Body;
use crate::kubernetes::testing::node;

#[test]
fn what_a_node_forwards_comes_from_the_node() {
    let mut with_ranges = node("n2", "zone-b", &["192.168.0.2"]);
    if let Body::Node(node) = &mut with_ranges.body {
        node.pod_ranges = Box::new([
            "10.0.2.0/24".parse().unwrap(),
            "fd00:2::/64".parse().unwrap(),
        ]);
    }
    let known = || {
        let mut index = shop();
        index.put(with_ranges.clone(), LONG_AGO);
        index
    };
    let web = seen("n2", "web-2");
    let call =
        |world: World, [own, from]: [&str; 2]| world.server(&web, own, from, 8080, counts(1, 1, 1));
    let calls = [
        ["10.0.2.2", "10.0.2.1"],
        ["10.0.2.2", "10.0.2.0"],
        ["fd00:2::2", "fd00:2::1"],
        ["10.0.2.2", "10.0.2.77"],
    ];
    let world = calls.into_iter().fold(World::new().knowing(known()), call);
    assert_eq!(
        world.edges(),
        [
            "external:10.0.2.77 > deployment:shop/web :8080 c - s 1/1/1",
            "node:n2 > deployment:shop/web :8080 c - s 3/3/3",
        ]
    );
    // A network may give the same address to a pod.
    let mut index = known();
    index.put(deployed("client-2", "client", "n2", "10.0.2.1"), LONG_AGO);
    let world = call(World::new().knowing(index), calls[0]);
    assert_eq!(
        world.edges(),
        ["deployment:shop/client > deployment:shop/web :8080 c - s 1/1/1"]
    );
}
