//! Between a client and its server: an address that is rewritten on the way, and a proxy.

use anyhow::{Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::pod::Pod;
use insight_tests::puppet::Puppet;
use insight_tests::reader::{Counts, edge};
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::world::{Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;
const PROXY: u16 = 7002;

/// A service's address, of which nobody is the owner.
const SERVICE: &str = "10.96.0.10";
const SERVICE_PORT: u16 = 80;

/// As kube-proxy does it: the client's socket holds the address that it dialed, the server's the true pair. The server's view is the edge
/// between the two; the client's is with it where what was dialed is resolved, else it is an edge to the dialed address. It is exact
/// either way, and nowhere twice.
#[test]
fn a_rewritten_address_is_counted_as_each_end_sees_it() -> Result<()> {
    Pods::exact(
        "a rewritten address is counted as each end sees it",
        |pods| {
            let client = &pods.client;
            client
                .namespace
                .ip(&["route", "add", SERVICE, "dev", "eth0"])?;
            client.namespace.nft(&format!(
                "table ip service {{ chain output {{ type nat hook output priority -100; \
             ip daddr {SERVICE} tcp dport {SERVICE_PORT} dnat to {}:{PORT}; }}; }}",
                pods.server.addresses.v4
            ))?;
            let product = Product::watch(&pods.root, "300ms")?;
            let _serving = serve(&pods.server, PORT)?;
            let mut plan = Plan::new(
                format!("{SERVICE}:{SERVICE_PORT}").parse()?,
                25,
                700,
                40_000,
            );
            plan.requests = 2;
            let truth = Counts::finished(&run_client(client, &plan)?);

            let (from, to) = (client.node_id(), pods.server.node_id());
            let check = || -> Result<()> {
                let graph = product.reader.graph("level=workload")?;
                let edges = edge::from_json(&graph)?;
                let real = edge::find(&edges, &from, &to, PORT)?;
                ensure!(real.server_view == Some(truth), "{real:?}");
                if real.client_view.is_some() {
                    ensure!(
                        real.client_view == Some(truth) && edges.len() == 1,
                        "{edges:#?}"
                    );
                    let dialed = format!("{SERVICE}:{SERVICE_PORT}");
                    ensure!(
                        graph["edges"][0]["dialed"] == Value::from(vec![dialed]),
                        "{graph}"
                    );
                    return Ok(());
                }
                let dialed = format!("external:{SERVICE}");
                let dialed = edge::find(&edges, &from, &dialed, SERVICE_PORT)?;
                ensure!(
                    dialed.client_view == Some(truth)
                        && dialed.server_view.is_none()
                        && edges.len() == 2,
                    "{edges:#?}"
                );
                Ok(())
            };
            pods.eventually("both ends' views", check)?;
            product.settle()?;
            check()
        },
    )
}

/// What goes through a proxy is two connections, each with its own ends and bytes. No edge skips it.
#[test]
fn a_proxy_is_the_end_of_two_edges() -> Result<()> {
    Pods::exact("a proxy is the end of two edges", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let between = Pod::new(&pods.net, &pods.root)?;
        let (mut client, mut proxy, mut server) = (
            Puppet::in_pod(&pods.client)?,
            Puppet::in_pod(&between)?,
            Puppet::in_pod(&pods.server)?,
        );
        proxy.act([format!("listen l [::]:{PROXY}")])?;
        server.act([format!("listen l [::]:{PORT}")])?;
        client.act([format!("connect c {}", at(between.addresses.v4, PROXY))])?;
        proxy.act([
            "accept l down".to_owned(),
            format!("connect up {}", at(pods.server.addresses.v6, PORT)),
        ])?;
        server.act(["accept l s"])?;
        // The proxy adds 50 bytes to what it passes on, and takes 20 off the answer.
        client.act(["send c 1000"])?;
        proxy.act(["receive down 1000", "send up 1050"])?;
        server.act(["receive s 1050", "send s 30020"])?;
        proxy.act(["receive up 30020", "send down 30000"])?;
        client.act(["receive c 30000", "close c"])?;
        proxy.act(["receive-end down", "close down", "close up"])?;
        server.act(["receive-end s", "close s"])?;

        let over = |bytes_sent, bytes_received| Counts {
            opened: 1,
            closed: 1,
            bytes_sent,
            bytes_received,
            ..Counts::default()
        };
        let check = || -> Result<()> {
            let edges = edge::from_json(&product.reader.graph("level=workload")?)?;
            ensure!(edges.len() == 2, "{edges:#?}");
            edge::find(&edges, &pods.client.node_id(), &between.node_id(), PROXY)?
                .expect_both(&over(1_000, 30_000))?;
            edge::find(&edges, &between.node_id(), &pods.server.node_id(), PORT)?
                .expect_both(&over(1_050, 30_020))
        };
        pods.eventually("both edges", check)?;
        product.settle()?;
        check()
    })
}
