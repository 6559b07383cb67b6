//! Room for flows is bounded, and nothing is lost for it: what finds no room is counted together, idle flows make room for others, and
//! clients outside of the cluster are counted by prefix.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::load::sweep;
use insight_tests::load::tally::Tally;
use insight_tests::pins::BpfFs;
use insight_tests::pod::Pod;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Edge, edge};
use insight_tests::traffic::{Held, at, finish_client, load, run_client, serve};
use insight_tests::wait::{PATIENCE, eventually, pause};
use insight_tests::world::{NODE, Pods, Product};

const PORT: u16 = 7001;

fn run_sweep(pod: &Pod, plan: &sweep::Plan) -> Result<Tally> {
    finish_client(pod.spawn("insight-load sweep", load(plan.to_args())?)?)
}

/// The sum of one view of some edges.
fn sum<'e>(edges: impl Iterator<Item = &'e Edge>, view: fn(&Edge) -> Option<Counts>) -> Counts {
    edges
        .filter_map(view)
        .fold(Counts::default(), |sum, more| Counts {
            opened: sum.opened + more.opened,
            closed: sum.closed + more.closed,
            failed: sum.failed + more.failed,
            active: sum.active + more.active,
            bytes_sent: sum.bytes_sent + more.bytes_sent,
            bytes_received: sum.bytes_received + more.bytes_received,
        })
}

/// 10,000 peers, and room for 64 flows: all of it is counted, and the graph says how much it cannot tell apart.
#[test]
fn a_full_map_loses_nothing_and_says_so() -> Result<()> {
    Pods::exact("a full map loses nothing and says so", |pods| {
        let aggregator = Aggregator::start()?;
        let flags = ["--max-flows", "64"];
        let agent = Agent::start_flags(&aggregator, NODE, &pods.root, &flags)?;
        let product = Product::of(aggregator, agent)?;
        let _serving = serve(&pods.server, PORT)?;
        // In a pod's own network: each loopback address is a flow, at both ends.
        let plan = sweep::Plan {
            to: SocketAddrV4::new(Ipv4Addr::new(127, 9, 0, 1), PORT),
            from: None,
            addresses: 10_000,
            rounds: 1,
            rate: 0.0,
            send: 100,
            receive: 400,
        };
        let truth = Counts::finished(&run_sweep(&pods.server, &plan)?);
        pods.eventually("the exact sum of all edges", || {
            let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
            let client = sum(edges.iter(), |edge| edge.client_view);
            let server = sum(edges.iter(), |edge| edge.server_view);
            ensure!(client == truth && server == truth, "{client:?} {server:?}");
            Ok(())
        })?;
        product.settle()?;
        let graph = product.reader.graph("level=workload")?;
        let edges = edge::from_json(&graph)?;
        let overflow = format!("overflow:{NODE}");
        let together = edge::find(&edges, &overflow, &overflow, 0)?;
        let together = together.client_view.context("no client's view")?;
        ensure!(together.opened > 5_000, "{together:?}");
        ensure!(graph["complete"] == false, "{graph}");
        let gaps = graph["gaps"].as_array().context("no gaps")?;
        ensure!(
            gaps.iter().any(|gap| gap["reason"] == "dropped_updates"),
            "{gaps:#?}"
        );
        let counted = product.agent.status("/flow_map/dropped_updates")?;
        ensure!(counted >= 2 * together.opened, "{counted} {together:?}");
        ensure!(
            product.agent.status("/flow_map/used")? <= 64,
            "over its room"
        );
        Ok(())
    })
}

/// Entries are removed and made again, also under the next agent, while their flows go on now and then.
#[test]
fn flows_that_are_removed_and_come_again_are_exact() -> Result<()> {
    Pods::exact("flows that are removed and come again are exact", |pods| {
        let (bpf, aggregator) = (BpfFs::new()?, Aggregator::start()?);
        let mut agent = Agent::pinned(&aggregator, NODE, &pods.root, &bpf.folder())?;
        agent.daemon.add_args(&["--flow-idle", "1s"]);
        agent.daemon.stop()?;
        agent.restart()?;
        let mut product = Product::of(aggregator, agent)?;
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut truth = Tally::default();
        let mut removed = 0;
        for round in 0..12_u64 {
            truth += run_client(&pods.client, &Plan::new(to, 30, 100 + round, 500))?;
            // Around the time at which entries are retired, and that at which they are removed.
            pause(Duration::from_millis(600 + 250 * round));
            if round % 4 == 3 {
                removed += product.agent.status("/flow_map/removed")?;
                product.agent.daemon.kill()?;
                truth += run_client(&pods.client, &Plan::new(to, 5, 50, 50))?;
                product.agent.restart()?;
            }
        }
        product.expect(pods, PORT, &Counts::finished(&truth))?;
        ensure!(removed >= 2, "nothing was removed: {removed}");
        eventually(PATIENCE, "the idle flows to be removed", || {
            let used = product.agent.status("/flow_map/used")?;
            ensure!(used == 0, "{used} entries are left");
            Ok(())
        })
    })
}

#[test]
fn a_flow_with_an_open_connection_stays() -> Result<()> {
    Pods::exact("a flow with an open connection stays", |pods| {
        let aggregator = Aggregator::start()?;
        let flags = ["--flow-idle", "1s"];
        let agent = Agent::start_flags(&aggregator, NODE, &pods.root, &flags)?;
        let product = Product::of(aggregator, agent)?;
        let _serving = serve(&pods.server, PORT)?;
        let mut held = Held::open(&pods.client, at(pods.server.addresses.v4, PORT), 3, 0)?;
        held.exchange(1_000, 2_000)?;
        pause(Duration::from_secs(4));
        ensure!(product.agent.status("/flow_map/used")? == 2, "it went");
        held.exchange(1_000, 2_000)?;
        let truth = held.close()?;
        product.expect(pods, PORT, &Counts::finished(&truth))
    })
}

/// 2,000 clients from outside: eight flows at the server.
#[test]
fn clients_outside_of_the_cluster_are_counted_by_prefix() -> Result<()> {
    Pods::exact(
        "clients outside of the cluster are counted by prefix",
        |pods| {
            let ranges = ["--cluster-ranges", "10.244.0.0/16,fd00:10:244::/64"];
            let product =
                Product::report_to(Aggregator::start_with(&ranges)?, &pods.root, "500ms")?;
            let _serving = serve(&pods.server, PORT)?;
            // Addresses for tests (RFC 2544), which are the client pod's own here.
            let outside = "198.18.0.0/15";
            let namespace = &pods.client.namespace;
            namespace.ip(&["route", "add", "local", outside, "dev", "lo"])?;
            let via = pods.client.addresses.v4.to_string();
            let routes = &pods.server.namespace;
            routes.ip(&["route", "add", outside, "via", &via])?;
            let plan = sweep::Plan {
                to: SocketAddrV4::new(pods.server.addresses.v4, PORT),
                from: Some(Ipv4Addr::new(198, 18, 0, 0)),
                addresses: 2_000,
                rounds: 1,
                rate: 0.0,
                send: 100,
                receive: 400,
            };
            let far = run_sweep(&pods.client, &plan)?;
            let near = run_client(
                &pods.client,
                &Plan::new(at(pods.server.addresses.v6, PORT), 7, 20, 30),
            )?;
            let (client, server) = (pods.client.node_id(), pods.server.node_id());
            pods.eventually("the exact counts", || {
                let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
                let all = Counts::finished(&(far + near));
                // The clients know who they are, the server of those inside only.
                let by_client = edge::find(&edges, &client, &server, PORT)?;
                ensure!(by_client.client_view == Some(all), "{by_client:?}");
                let inside = Counts::finished(&near);
                ensure!(by_client.server_view == Some(inside), "{by_client:?}");
                let is_outside = |edge: &&Edge| edge.client.starts_with("external:");
                let outside = sum(edges.iter().filter(is_outside), |edge| edge.server_view);
                ensure!(outside == Counts::finished(&far), "{outside:?}");
                let prefixes: BTreeSet<_> = edges
                    .iter()
                    .filter(is_outside)
                    .map(|edge| edge.client.clone())
                    .collect();
                let expected: BTreeSet<_> = (0..8)
                    .map(|net| format!("external:198.18.{net}.0/24"))
                    .collect();
                ensure!(prefixes == expected, "{prefixes:?}");
                Ok(())
            })
        },
    )
}

/// The cluster grows, shrinks, and is unknown again, while connections are open and others come: each byte is counted once.
#[test]
fn ranges_may_change_while_connections_are_open() -> Result<()> {
    Pods::exact("ranges may change while connections are open", |pods| {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("aggregator.toml");
        let write = |ranges: &str| fs::write(&file, format!("cluster_ranges = [{ranges}]\n"));
        write("\"192.0.2.0/24\"")?;
        let path = file.display().to_string();
        let aggregator = Aggregator::start_with(&["--config", &path])?;
        let mut product = Product::report_to(aggregator, &pods.root, "500ms")?;
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut truth = Tally::default();
        let mut open = Vec::new();
        for ranges in [
            "\"10.244.0.0/16\"",
            "\"192.0.2.0/24\", \"10.0.0.0/8\"",
            "\"192.0.2.0/24\"",
            "",
            "\"10.244.0.0/24\"",
        ] {
            let mut held = Held::open(&pods.client, to, 2, 0)?;
            held.exchange(3_000, 5_000)?;
            open.push(held);
            product.settle()?;
            write(ranges)?;
            product.aggregator.daemon.stop()?;
            product.aggregator.restart()?;
            eventually(PATIENCE, "the agent to be back", || {
                let connected = product.agent.metrics()?;
                ensure!(
                    connected.contains("insight_agent_aggregator_connected 1"),
                    "not yet"
                );
                Ok(())
            })?;
            truth += run_client(&pods.client, &Plan::new(to, 10, 100, 200))?;
            for held in &mut open {
                held.exchange(70, 90)?;
            }
            product.settle()?;
        }
        for held in open {
            truth += held.close()?;
        }
        let truth = Counts::finished(&truth);
        pods.eventually("the exact counts", || {
            let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
            let client = sum(edges.iter(), |edge| edge.client_view);
            let server = sum(edges.iter(), |edge| edge.server_view);
            ensure!(
                client == truth && server == truth,
                "{client:?} {server:?} {edges:#?}"
            );
            Ok(())
        })?;
        product.settle()?;
        let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
        let server = sum(edges.iter(), |edge| edge.server_view);
        ensure!(server == truth, "{server:?}");
        let clients: BTreeSet<_> = edges.iter().map(|edge| edge.client.clone()).collect();
        let expected = BTreeSet::from([pods.client.node_id(), "external:10.244.0.0/24".to_owned()]);
        ensure!(clients == expected, "{clients:?}");
        Ok(())
    })
}
