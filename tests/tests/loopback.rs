//! Loopback: both ends are on one host, and in one pod, and are one edge all the same. The same address in another pod is
//! another place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::load::tally::Tally;
use insight_tests::pod::{Container, Pod};
use insight_tests::process::Process;
use insight_tests::reader::{Counts, edge};
use insight_tests::traffic::{at, finish_client, serve_in, start_client_in};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

const LOOPBACKS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
];

/// A pod whose first container calls its second.
struct Inward<'a> {
    pod: &'a Pod,
    callee: Container,
    _serving: Process,
}

impl<'a> Inward<'a> {
    fn new(pods: &Pods, pod: &'a Pod) -> Result<Self> {
        let callee = pod.add_container(&pods.root)?;
        Ok(Self {
            pod,
            _serving: serve_in(pod, &callee, PORT, &[])?,
            callee,
        })
    }

    /// So many connections to each loopback address.
    fn call(&self, connections: u64, send: u64, receive: u64) -> Result<Tally> {
        LOOPBACKS.iter().try_fold(Tally::default(), |sum, address| {
            let plan = Plan::new(at(*address, PORT), connections, send, receive);
            let client = start_client_in(self.pod, &self.pod.container, &plan)?;
            Ok(sum + finish_client(client)?)
        })
    }

    fn ends(&self, level: &str) -> (String, String) {
        match level {
            "container" => (self.pod.container.node_id(), self.callee.node_id()),
            _ => (self.pod.node_id(), self.pod.node_id()),
        }
    }
}

#[test]
fn loopback_is_one_edge_and_stays_in_its_pod() -> Result<()> {
    Pods::exact("loopback is one edge and stays in its pod", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let inward = [
            Inward::new(pods, &pods.client)?,
            Inward::new(pods, &pods.server)?,
        ];
        // Different in every count, so that whatever is mixed up shows.
        let truths = [
            inward[0].call(5, 1_001, 20_003)?,
            inward[1].call(8, 333, 70_007)?,
        ];
        let check = |level: &str| -> Result<()> {
            for edges in product.every_reader(level)? {
                ensure!(
                    edges.len() == inward.len(),
                    "one edge for each pod at level {level}: {edges:#?}"
                );
                for (inward, truth) in inward.iter().zip(&truths) {
                    let (client, server) = inward.ends(level);
                    edge::find(&edges, &client, &server, PORT)?
                        .expect_both(&Counts::finished(truth))
                        .with_context(|| format!("level {level}"))?;
                }
            }
            Ok(())
        };
        let levels = ["container", "workload"];
        for level in levels {
            pods.eventually("one exact edge in each pod", || check(level))?;
        }
        // What is counted too often shows up late.
        product.settle()?;
        levels.into_iter().try_for_each(check)
    })
}
