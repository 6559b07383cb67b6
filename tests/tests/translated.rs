//! A Service is an attribute of the edges to its backends, never an edge of its own: where NAT translates, connection tracking says who answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::nat::{Hook, become_node, plug_node, route, route_by_node, translate};
use insight_tests::pod::Pod;
use insight_tests::process::Process;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Counts, Edge, edge};
use insight_tests::root;
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::wait::pause;
use insight_tests::witness::{Round, in_clear_view};
use insight_tests::world::{NODE, Pods, Product};

const PORT: u16 = 7001;

/// Nobody has these.
const SERVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1));
const SERVICE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, 1));

/// How long calls go on until each backend was asked about: an answer that is not new is followed by five seconds without questions.
const ROUNDS: usize = 60;
const BETWEEN: Duration = Duration::from_millis(500);

#[test]
fn a_service_with_one_backend_is_one_edge_with_both_views() -> Result<()> {
    Pods::exact(
        "a Service with one backend is one edge with both views",
        |pods| {
            let client = &pods.client.namespace;
            let server = pods.server.addresses;
            let backends: [IpAddr; 2] = [server.v4.into(), server.v6.into()];
            for (service, backend) in [SERVICE, SERVICE_V6].into_iter().zip(backends) {
                route(client, service)?;
                let backend = at(backend, PORT);
                translate(Some(client), Hook::Output, at(service, 80), &[backend])?;
            }
            let _resident = reside(&pods.client)?;
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, PORT)?;
            let mut done = run_client(&pods.client, &Plan::new(at(SERVICE, 80), 20, 300, 700))?;
            done += run_client(&pods.client, &Plan::new(at(SERVICE_V6, 80), 10, 30, 70))?;
            product.expect(pods, PORT, &Counts::finished(&done))?;
            for (level, _) in pods.ends() {
                for edges in product.every_reader(level)? {
                    ensure!(edges.len() == 1, "{edges:#?}");
                    ensure!(
                        edges[0].dialed == ["10.96.0.1:80", "[fd00:96::1]:80"],
                        "{edges:#?}"
                    );
                }
            }
            Ok(())
        },
    )
}

#[test]
fn several_backends_of_a_service_tell_their_own_part_each() -> Result<()> {
    Pods::exact(
        "several backends of a Service tell their own part each",
        |pods| {
            let other = Pod::new(&pods.net, &pods.root)?;
            let backends = [&pods.server, &other].map(|pod| at(pod.addresses.v4, PORT));
            let client = &pods.client.namespace;
            route(client, SERVICE)?;
            translate(Some(client), Hook::Output, at(SERVICE, 80), &backends)?;
            let _resident = reside(&pods.client)?;
            let product = Product::watch(&pods.root, "300ms")?;
            expect_two(pods, &other, &product)
        },
    )
}

/// The way into a pod's network namespace is by a process that lives there; the load generator is gone too soon.
fn reside(pod: &Pod) -> Result<Process> {
    let mut command = Command::new("sleep");
    command.arg("1000");
    pod.spawn("sleep", command)
}

/// As in a cluster: the pods' packets are translated where the node forwards them, and the agent has the rights to ask there, and no more.
#[test]
fn a_node_that_forwards_knows_what_it_translates() -> Result<()> {
    let promise = "a node that forwards knows what it translates";
    if !root::usable(promise) {
        return Ok(());
    }
    become_node()?;
    in_clear_view(|| {
        let pods = Pods::new()?;
        plug_node(&pods.net)?;
        let ended = forwarded(&pods);
        Ok(Round {
            ended,
            hidden: pods.witness.hidden()?,
        })
    })
}

fn forwarded(pods: &Pods) -> Result<()> {
    let other = Pod::new(&pods.net, &pods.root)?;
    route_by_node(&pods.client.namespace, SERVICE)?;
    for server in [&pods.server, &other] {
        route_by_node(&server.namespace, pods.client.addresses.v4.into())?;
    }
    let backends = [&pods.server, &other].map(|pod| at(pod.addresses.v4, PORT));
    translate(None, Hook::Prerouting, at(SERVICE, 80), &backends)?;
    let starter = [
        "setpriv",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all,+bpf,+perfmon,+net_admin",
    ];
    let aggregator = Aggregator::start()?;
    let agent = Agent::started_by(&starter, &aggregator, NODE, &pods.root, "300ms")?;
    expect_two(pods, &other, &Product::of(aggregator, agent)?)
}

/// Calls the Service until both of its backends are known, and checks that nothing but the edges to them is shown, exactly.
fn expect_two(pods: &Pods, other: &Pod, product: &Product) -> Result<()> {
    let _serving = [serve(&pods.server, PORT)?, serve(other, PORT)?];
    let plan = Plan::new(at(SERVICE, 80), 5, 300, 700);
    let mut done = Tally::default();
    for round in 0.. {
        done += run_client(&pods.client, &plan)?;
        let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
        if edges.len() == 2 && edges.iter().all(|edge| !edge.dialed.is_empty()) {
            break;
        }
        ensure!(round < ROUNDS, "after {done:?}: {edges:#?}");
        pause(BETWEEN);
    }
    pods.eventually("the exact counts", || {
        for edges in product.every_reader("workload")? {
            ensure!(edges.len() == 2, "{edges:#?}");
            let here = expect_part(&edges, pods, &pods.server)?;
            let there = expect_part(&edges, pods, other)?;
            ensure!(
                here + there == done.connections && here.abs_diff(there) <= 1,
                "{here} and {there} of {done:?}"
            );
        }
        Ok(())
    })
}

/// The edge to one backend, which the backend alone tells of; how many connections it had.
fn expect_part(edges: &[Edge], pods: &Pods, backend: &Pod) -> Result<u64> {
    let edge = edge::find(edges, &pods.client.node_id(), &backend.node_id(), PORT)?;
    let service = SocketAddr::new(SERVICE, 80).to_string();
    ensure!(edge.dialed == [service], "{edge:?}");
    ensure!(edge.client_view.is_none(), "{edge:?}");
    let counts = edge.server_view.unwrap_or_default();
    let expected = Counts::finished(&Tally {
        connections: counts.opened,
        bytes_sent: counts.opened * 300,
        bytes_received: counts.opened * 700,
        ..Tally::default()
    });
    ensure!(counts == expected, "{counts:?} is not {expected:?}");
    Ok(counts.opened)
}
