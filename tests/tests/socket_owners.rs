//! Whose a connection is: the cgroup's in which its socket was made, whoever holds the descriptor later. An accepted socket is its
//! listener's. That is what the kernel itself goes by, and the only answer that stays the same over a connection's life.

use std::fs;

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::pod::{Container, Pod};
use insight_tests::puppet::Puppet;
use insight_tests::reader::{Counts, Edge, edge};
use insight_tests::traffic::{Held, at, run_client, serve, serve_in};
use insight_tests::world::{Pods, Product};
use tempfile::TempDir;

const PORT: u16 = 7001;
const OTHER: u16 = 7002;

fn open(connections: u64, sent: u64, received: u64) -> Counts {
    Counts {
        opened: connections,
        active: connections,
        bytes_sent: sent,
        bytes_received: received,
        ..Counts::default()
    }
}

fn over(counts: Counts) -> Counts {
    Counts {
        closed: counts.opened,
        active: 0,
        ..counts
    }
}

/// Waits until these are all edges between containers, and exactly so at both ends; checks that they stay it. At `unseen` the server's view is
/// missing, because its clients share an address.
fn expect_only(
    pods: &Pods,
    product: &Product,
    unseen: Option<u16>,
    expected: &[(&Container, &Container, u16, Counts)],
) -> Result<()> {
    let check = || -> Result<()> {
        let edges = edge::from_json(&product.reader.graph("level=container")?)?;
        ensure!(edges.len() == expected.len(), "{edges:#?}");
        for (client, server, port, counts) in expected {
            let edge = edge::find(&edges, &client.node_id(), &server.node_id(), *port)?;
            if unseen == Some(*port) {
                ensure!(
                    edge.client_view == Some(*counts) && edge.server_view.is_none(),
                    "{edge:?}, not {counts:?}"
                );
            } else {
                edge.expect_both(counts)?;
            }
        }
        Ok(())
    };
    pods.eventually("the owners' edges", check)?;
    product.settle()?;
    check()
}

/// Two listeners have one port, in two containers of a pod (`SO_REUSEPORT`). Each has exactly its own connections. Which of them a client's
/// connection went to only the servers know: the client's own view is of the port that both have.
#[test]
fn listeners_that_share_a_port_have_their_own_connections() -> Result<()> {
    Pods::exact(
        "listeners that share a port have their own connections",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let second = pods.server.add_container(&pods.root)?;
            let containers = [&pods.server.container, &second];
            let listen = ["--share-port"];
            let _serving = [
                serve_in(&pods.server, containers[0], PORT, &listen)?,
                serve_in(&pods.server, containers[1], PORT, &listen)?,
            ];
            let to = at(pods.server.addresses.v4, PORT);
            let truth =
                Counts::finished(&run_client(&pods.client, &Plan::new(to, 200, 100, 3_000))?);

            let client = pods.client.container.node_id();
            let check = || -> Result<()> {
                let edges = edge::from_json(&product.reader.graph("level=container")?)?;
                ensure!(edges.len() == 3, "{edges:#?}");
                let own = containers
                    .iter()
                    .map(|container| edge::find(&edges, &client, &container.node_id(), PORT))
                    .collect::<Result<Vec<Edge>>>()?;
                let views: Vec<Counts> = own.iter().filter_map(|edge| edge.server_view).collect();
                ensure!(own.iter().all(|edge| edge.client_view.is_none()), "{own:?}");
                let connections: u64 = views.iter().map(|view| view.opened).sum();
                ensure!(connections == truth.opened, "{views:?}");
                for view in &views {
                    // 200 throws of a coin that all fall alike: not in the life of this universe.
                    let counts = open(view.opened, 100 * view.opened, 3_000 * view.opened);
                    ensure!(view.opened > 0 && *view == over(counts), "{view:?}");
                }
                let shared = edge::find(&edges, &client, &format!("ambiguous:{to}"), PORT)?;
                ensure!(
                    shared.client_view == Some(truth) && shared.server_view.is_none(),
                    "{shared:?}"
                );
                Ok(())
            };
            pods.eventually("both listeners' edges", check)?;
            product.settle()?;
            check()?;
            // To a reader who asks for pods there is nothing to choose between.
            product
                .reader
                .edge(
                    "workload",
                    &pods.client.node_id(),
                    &pods.server.node_id(),
                    PORT,
                )?
                .expect_both(&truth)
        },
    )
}

/// The parent accepts, forks, and closes its own copy: the connection goes on in the child, is open as long as the child has it, and
/// is counted once.
#[test]
fn a_connection_that_a_child_serves_is_the_listeners() -> Result<()> {
    Pods::exact(
        "a connection that a child serves is the listener's",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let (mut client, mut server) =
                (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
            server.act([format!("listen l [::]:{PORT}")])?;
            let to = at(pods.server.addresses.v4, PORT);
            for name in ["c", "d"] {
                client.act([format!("connect {name} {to}"), format!("send {name} 700")])?;
                server.act(["accept l s", "fork; receive s 700; send s 5000", "close s"])?;
                client.act([format!("receive {name} 5000")])?;
            }
            product.expect(pods, PORT, &open(2, 1_400, 10_000))?;
            // The children end, and with them the connections.
            server.act(["reap"])?;
            client.act(["receive-end c", "receive-end d", "close c", "close d"])?;
            product.expect(pods, PORT, &over(open(2, 1_400, 10_000)))
        },
    )
}

/// A descriptor that goes to a process in another cgroup: what that process sends is the maker's, at either end.
#[test]
fn a_socket_that_is_passed_on_stays_its_makers() -> Result<()> {
    Pods::exact("a socket that is passed on stays its maker's", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let folder = TempDir::with_prefix("insight-inbox-")?;
        let inbox = |name: &str| folder.path().join(name).display().to_string();
        let heir_of = |pod: &Pod, name: &str| -> Result<Puppet> {
            let mut heir = Puppet::in_container(pod, &pod.add_container(&pods.root)?)?;
            heir.act([format!("inbox {}", inbox(name))])?;
            Ok(heir)
        };
        let mut client = Puppet::in_pod(&pods.client)?;
        let mut server = Puppet::in_pod(&pods.server)?;
        let mut client_heir = heir_of(&pods.client, "client")?;
        let mut server_heir = heir_of(&pods.server, "server")?;

        server.act([format!("listen l [::]:{PORT}")])?;
        client.act([format!("connect c {}", at(pods.server.addresses.v6, PORT))])?;
        server.act(["accept l s"])?;
        client.act([format!("give c {}", inbox("client")), "close c".to_owned()])?;
        server.act([format!("give s {}", inbox("server")), "close s".to_owned()])?;
        client_heir.act(["take c", "send c 1234"])?;
        server_heir.act(["take s", "receive s 1234", "send s 56789"])?;
        client_heir.act(["receive c 56789"])?;
        let makers = (&pods.client.container, &pods.server.container);
        let counts = open(1, 1_234, 56_789);
        expect_only(pods, &product, None, &[(makers.0, makers.1, PORT, counts)])?;
        // Also when the makers are gone.
        client.end();
        server.end();
        client_heir.act(["send c 6", "close c"])?;
        server_heir.act(["receive s 6", "receive-end s", "close s"])?;
        let counts = over(open(1, 1_240, 56_789));
        expect_only(pods, &product, None, &[(makers.0, makers.1, PORT, counts)])
    })
}

/// A process moves to another cgroup. What it had open stays where it was made, what its old listener accepts too, and only what it makes
/// from now on is the new cgroup's: also when the old cgroup is gone.
#[test]
fn what_was_open_before_a_move_stays_where_it_was_made() -> Result<()> {
    Pods::exact(
        "what was open before a move stays where it was made",
        |pods| {
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, OTHER)?;
            let old = pods.client.add_container(&pods.root)?;
            let new = pods.client.add_container(&pods.root)?;
            let (peer, callee) = (&pods.server.container, at(pods.server.addresses.v4, OTHER));
            let mut mover = Puppet::in_container(&pods.client, &old)?;
            let mut caller = Puppet::in_pod(&pods.server)?;
            let request = |name: &str| -> [String; 2] {
                [
                    format!("connect {name} {callee}"),
                    format!("ask {name} 40 900"),
                ]
            };
            mover.act([format!("listen l [::]:{PORT}")])?;
            mover.act(request("before"))?;

            for mut entrance in new.cgroup.entrances()? {
                let pid = mover.process().pid().to_string();
                std::io::Write::write_all(&mut entrance, pid.as_bytes())
                    .context("move the process")?;
            }
            mover.act(["ask before 60 100"])?;
            mover.act(request("after"))?;
            caller.act([
                format!("connect c {}", at(pods.client.addresses.v4, PORT)),
                "send c 300".to_owned(),
            ])?;
            mover.act(["accept l s", "receive s 300"])?;
            let expected = |change: fn(Counts) -> Counts| {
                [
                    (&old, peer, OTHER, change(open(1, 100, 1_000))),
                    (&new, peer, OTHER, change(open(1, 40, 900))),
                    (peer, &old, PORT, change(open(1, 300, 0))),
                ]
            };
            let there = expected(|counts| counts);
            // Two containers behind one address: their server cannot tell them apart, and leaves its view off.
            expect_only(pods, &product, Some(OTHER), &there)?;

            fs::remove_dir(&old.cgroup.unified).context("remove the empty cgroup")?;
            product.settle()?;
            expect_only(pods, &product, Some(OTHER), &there)?;
            mover.act(["close before", "close after", "close s"])?;
            caller.act(["receive-end c", "close c"])?;
            expect_only(pods, &product, Some(OTHER), &expected(over))
        },
    )
}

/// A pod ends with its connections open: its processes are killed and its network is gone at once. Its own view ends when its kernel gives
/// up; the other end, to whom nothing was said, still has its connections, and shows them.
#[test]
fn a_network_that_dies_closes_its_own_ends_only() -> Result<()> {
    Pods::exact("a network that dies closes its own ends only", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let _serving = serve(&pods.server, PORT)?;
        let doomed = Pod::new(&pods.net, &pods.root)?;
        // Two retransmissions of a FIN that nobody answers instead of eight.
        doomed
            .namespace
            .sysctl("net/ipv4/tcp_orphan_retries", "2")?;
        let mut held = Held::open(&doomed, at(pods.server.addresses.v4, PORT), 7, 1)?;
        held.exchange(800, 9_000)?;
        let before = open(7, 7 * 800, 7 * 9_000);
        let (client, server) = (doomed.node_id(), pods.server.node_id());
        let edge = || product.reader.edge("workload", &client, &server, PORT);
        pods.eventually("the connections", || edge()?.expect_both(&before))?;

        doomed.namespace.ip(&["link", "del", "eth0"])?;
        held.kill();
        drop(doomed);
        let check = || -> Result<()> {
            let edge = edge()?;
            ensure!(
                edge.client_view == Some(over(before)) && edge.server_view == Some(before),
                "{edge:?}"
            );
            Ok(())
        };
        pods.eventually("the ends of the dead", check)?;
        product.settle()?;
        check()
    })
}
