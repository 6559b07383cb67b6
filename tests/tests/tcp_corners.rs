//! TCP that few programs use: each connection is counted once at each end all the same, with its bytes.

use anyhow::{Result, ensure};
use insight_tests::net::Namespace;
use insight_tests::puppet::Puppet;
use insight_tests::reader::{Counts, edge};
use insight_tests::traffic::at;
use insight_tests::wait::pause;
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;
const OTHER: u16 = 7002;

/// What a connection has moved, from its client's side.
fn moved(sent: u64, received: u64) -> Counts {
    Counts {
        opened: 1,
        closed: 1,
        bytes_sent: sent,
        bytes_received: received,
        ..Counts::default()
    }
}

fn still_open(counts: Counts) -> Counts {
    Counts {
        closed: 0,
        active: counts.opened,
        ..counts
    }
}

/// One end has said all it will say; the connection is open, and what the other end says counts, until that has ended too.
#[test]
fn a_half_closed_connection_is_open_and_goes_on_counting() -> Result<()> {
    Pods::exact(
        "a half-closed connection is open and goes on counting",
        |pods| {
            let product = Product::watch(&pods.root, "200ms")?;
            let (mut client, mut server) =
                (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
            server.act([format!("listen l [::]:{PORT}")])?;
            client.act([format!("connect c {}", at(pods.server.addresses.v4, PORT))])?;
            server.act(["accept l s"])?;
            client.act(["send c 1000", "end c"])?;
            server.act(["receive s 1000", "receive-end s"])?;
            product.expect(pods, PORT, &still_open(moved(1_000, 0)))?;
            server.act(["send s 70000"])?;
            client.act(["receive c 70000"])?;
            product.expect(pods, PORT, &still_open(moved(1_000, 70_000)))?;
            server.act(["send s 5", "close s"])?;
            client.act(["receive c 5", "receive-end c", "close c"])?;
            product.expect(pods, PORT, &moved(1_000, 70_005))
        },
    )
}

/// Nobody listens: both ends connect, and the SYNs meet (RFC 9293, 3.5). Whoever connects is a client, so there are two edges, each of
/// which has the view of the end that it begins at. The connection is counted once at each end.
#[test]
fn a_simultaneous_open_has_two_clients() -> Result<()> {
    Pods::exact("a simultaneous open has two clients", |pods| {
        let product = Product::watch(&pods.root, "200ms")?;
        let (mut one, mut other) = (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
        let (here, there) = (pods.client.addresses.v4, pods.server.addresses.v4);
        // Earlier, each was the other's ordinary client. Programs that have one port for all (libp2p) look like that.
        other.act([format!("listen l {there}:{OTHER} shared")])?;
        one.act([format!("connect before {there}:{OTHER}")])?;
        other.act(["accept l before", "close l"])?;
        one.act(["send before 10", "close before"])?;
        other.act(["receive before 10", "receive-end before", "close before"])?;
        product.expect(pods, OTHER, &moved(10, 0))?;

        // The first SYN of one end is lost, so that the other's meets an end that is connecting.
        let closed = InputClosed::to(&pods.server.namespace)?;
        one.act([
            format!("bind x {here}:{PORT} shared"),
            format!("start x {there}:{OTHER}"),
        ])?;
        other.act([
            format!("bind x {there}:{OTHER} shared"),
            format!("start x {here}:{PORT}"),
        ])?;
        closed.open()?;
        for end in [&mut one, &mut other] {
            end.act(["established x"])?;
        }
        one.act(["send x 300"])?;
        other.act(["receive x 300", "send x 4000"])?;
        one.act(["receive x 4000"])?;

        let ends = [pods.client.node_id(), pods.server.node_id()];
        let check = |counts: [Counts; 2]| -> Result<()> {
            let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
            ensure!(edges.len() == 2, "{edges:#?}");
            let there = edge::find(&edges, &ends[0], &ends[1], OTHER)?;
            let back = edge::find(&edges, &ends[1], &ends[0], PORT)?;
            // The server's view is of the earlier connection alone.
            ensure!(there.client_view == Some(counts[0]), "{there:?}");
            ensure!(there.server_view == Some(moved(10, 0)), "{there:?}");
            ensure!(back.client_view == Some(counts[1]), "{back:?}");
            ensure!(back.server_view.is_none(), "{back:?}");
            Ok(())
        };
        let with_earlier = |active| Counts {
            opened: 2,
            closed: 2 - active,
            active,
            ..moved(310, 4_000)
        };
        let open = [with_earlier(1), still_open(moved(4_000, 300))];
        pods.eventually("both ends, open", || check(open))?;
        product.settle()?;
        check(open)?;
        one.act(["close x"])?;
        other.act(["receive-end x", "close x"])?;
        let over = [with_earlier(0), moved(4_000, 300)];
        pods.eventually("both ends, closed", || check(over))?;
        product.settle()?;
        check(over)
    })
}

/// A socket whose SYN meets itself: one socket, so one connection, whose client and server are the same pod.
#[test]
fn a_socket_that_connects_to_itself_is_one_connection() -> Result<()> {
    Pods::exact(
        "a socket that connects to itself is one connection",
        |pods| {
            let product = Product::watch(&pods.root, "200ms")?;
            let mut puppet = Puppet::in_pod(&pods.client)?;
            let me = at(pods.client.addresses.v4, PORT);
            puppet.act([
                format!("bind x {me}").as_str(),
                format!("connect x {me}").as_str(),
                "send x 500",
                "receive x 500",
                "close x",
            ])?;
            let id = pods.client.node_id();
            let check = || -> Result<()> {
                let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
                let edge = edge::find(&edges, &id, &id, PORT)?;
                ensure!(
                    edges.len() == 1
                        && edge.client_view == Some(moved(500, 500))
                        && edge.server_view.is_none(),
                    "{edges:?}"
                );
                Ok(())
            };
            pods.eventually("the connection", check)?;
            product.settle()?;
            check()
        },
    )
}

/// Bits of net.ipv4.tcp_fastopen: both roles, without a cookie, for every listener.
const FAST_OPEN: &str = "1543";

/// What travels in the SYN is payload like any other, and is counted once.
#[test]
fn data_in_a_syn_counts_once() -> Result<()> {
    Pods::exact("data in a SYN counts once", |pods| {
        for pod in [&pods.client, &pods.server] {
            pod.namespace.sysctl("net/ipv4/tcp_fastopen", FAST_OPEN)?;
        }
        let product = Product::watch(&pods.root, "200ms")?;
        let (mut client, mut server) =
            (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
        server.act([format!("listen l [::]:{PORT}")])?;
        client.act([format!("dial c {} 900", at(pods.server.addresses.v4, PORT))])?;
        server.act(["accept l s", "receive s 900", "send s 60000"])?;
        client.act(["established c", "receive c 60000", "send c 7"])?;
        server.act(["receive s 7"])?;
        product.expect(pods, PORT, &still_open(moved(907, 60_000)))?;
        server.act(["close s"])?;
        client.act(["receive-end c", "close c"])?;
        product.expect(pods, PORT, &moved(907, 60_000))
    })
}

/// With TCP Fast Open a server can read, answer and close before the handshake has ended; it was a connection all the same.
#[test]
fn a_server_that_closes_before_the_handshake_ends_had_a_connection() -> Result<()> {
    Pods::exact(
        "a server that closes before the handshake ends had a connection",
        |pods| {
            for pod in [&pods.client, &pods.server] {
                pod.namespace.sysctl("net/ipv4/tcp_fastopen", FAST_OPEN)?;
            }
            let product = Product::watch(&pods.root, "200ms")?;
            let (mut client, mut server) =
                (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
            server.act([format!("listen l [::]:{PORT}")])?;
            // The SYN arrives; its answer does not, so nor does the ACK.
            let closed = InputClosed::to(&pods.client.namespace)?;
            client.act([format!("dial c {} 900", at(pods.server.addresses.v4, PORT))])?;
            server.act(["accept l s", "receive s 900", "send s 50", "close s"])?;
            closed.open()?;
            client.act(["established c", "receive c 50", "receive-end c", "close c"])?;
            product.expect(pods, PORT, &moved(900, 50))
        },
    )
}

/// What MPTCP sends again at once, bytes at the most: a segment before it is cut to the size of packets.
const MPTCP_SEGMENT: u64 = 65_536;

/// The socket that the program has is MPTCP's; what is counted is the TCP connection below it. No process has that one's file, so it
/// shows its bytes when it closes. They are what TCP carried: what MPTCP itself sends again, which no counter of TCP tells, is in them.
#[test]
fn multipath_tcp_is_counted_when_it_closes() -> Result<()> {
    Pods::exact("multipath TCP is counted when it closes", |pods| {
        let product = Product::watch(&pods.root, "200ms")?;
        let (mut client, mut server) =
            (Puppet::in_pod(&pods.client)?, Puppet::in_pod(&pods.server)?);
        server.act([
            format!("listen l [::]:{PORT} mptcp"),
            format!("listen m [::]:{OTHER} mptcp"),
        ])?;
        // Both ends speak it; or only the server does, as most servers in Go, and then what it accepts is a TCP socket like any other.
        client.act([
            format!("connect c {} mptcp", at(pods.server.addresses.v4, PORT)),
            format!("connect d {}", at(pods.server.addresses.v4, OTHER)),
        ])?;
        server.act(["accept l s", "accept m t"])?;
        for (call, answer) in [("c", "s"), ("d", "t")] {
            client.act([format!("send {call} 3000")])?;
            server.act([
                format!("receive {answer} 3000"),
                format!("send {answer} 80000"),
            ])?;
            client.act([format!("receive {call} 80000")])?;
        }
        let whole = still_open(moved(3_000, 80_000));
        // Nor does it show as open until then.
        let later = Counts {
            opened: 1,
            ..Counts::default()
        };
        product.expect(pods, PORT, &later)?;
        product.expect(pods, OTHER, &whole)?;
        client.act(["close c", "close d"])?;
        server.act(["receive-end s", "receive-end t", "close s", "close t"])?;
        product.expect(pods, OTHER, &moved(3_000, 80_000))?;
        let check = || -> Result<()> {
            let edge = pods.edge(&product.reader, PORT)?;
            let view = edge.client_view.unwrap_or_default();
            edge.expect_both(&Counts {
                bytes_sent: view.bytes_sent,
                bytes_received: view.bytes_received,
                ..moved(0, 0)
            })?;
            for (pod, bytes, payload) in [
                (&pods.client, view.bytes_sent, 3_000),
                (&pods.server, view.bytes_received, 80_000),
            ] {
                let again = pod.kernel_count("MPTcpExt", "MPTCPRetrans")?;
                ensure!(
                    (payload..=payload + again * MPTCP_SEGMENT).contains(&bytes),
                    "{bytes} bytes of {payload}; MPTCP sent {again} segments again"
                );
            }
            Ok(())
        };
        pods.eventually("the MPTCP connection, closed", check)?;
        product.settle()?;
        check()
    })
}

/// Nothing arrives in a namespace until it is opened again.
struct InputClosed<'n>(&'n Namespace);

impl<'n> InputClosed<'n> {
    fn to(namespace: &'n Namespace) -> Result<Self> {
        namespace.nft(
            "table inet closed { chain input { type filter hook input priority 0; \
             meta l4proto tcp drop; }; }",
        )?;
        Ok(Self(namespace))
    }

    fn open(self) -> Result<()> {
        // Whatever was on its way has been dropped by now: the other end's retransmissions come 200 ms and more later.
        pause(std::time::Duration::from_millis(50));
        self.0.nft("delete table inet closed")
    }
}
