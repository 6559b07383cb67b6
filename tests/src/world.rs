//! Two pods, an aggregator and an agent: what most tests need.

use anyhow::{Result, ensure};

use crate::cgroup::CgroupRoot;
use crate::net::Net;
use crate::pod::{Driver, Pod};
use crate::product::{Agent, Aggregator};
use crate::reader::{Counts, Edge, Reader, edge};
use crate::root;
use crate::wait::{PATIENCE, eventually};
use crate::witness::{Round, Witness, in_clear_view};

/// Two pods below one cgroup.
///
/// Fields are dropped from the first to the last, so what stands on something else comes before it.
pub struct Pods {
    /// Calls. Named as by the systemd driver.
    pub client: Pod,
    /// Is called. Named as by the cgroupfs driver.
    pub server: Pod,
    /// Their cgroups' top.
    pub root: CgroupRoot,
    /// What connects them.
    pub net: Net,
    /// Knows what their traffic could hide from the agent.
    pub witness: Witness,
}

impl Pods {
    /// Makes them.
    pub fn new() -> Result<Self> {
        let witness = Witness::start();
        let (net, root) = (Net::new()?, CgroupRoot::new()?);
        Ok(Self {
            client: Pod::with_driver(&net, &root, Driver::Systemd)?,
            server: Pod::new(&net, &root)?,
            root,
            net,
            witness,
        })
    }

    /// Lets two pods, new ones each round, keep a promise that needs every single change of state to be seen: a round that was
    /// spoiled is repeated, see [`witness`](crate::witness). Without root it is skipped, aloud.
    pub fn exact(promise: &str, mut round: impl FnMut(&Self) -> Result<()>) -> Result<()> {
        if !root::usable(promise) {
            return Ok(());
        }
        in_clear_view(|| {
            let pods = Self::new()?;
            Ok(Round {
                ended: round(&pods),
                hidden: pods.witness.hidden()?,
            })
        })
    }

    /// Waits for exact counts, but not in a spoiled round: there they may never come.
    pub fn eventually<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        eventually(PATIENCE, what, || match attempt() {
            Err(error) if self.witness.hidden()?.is_empty() => Err(error),
            ended => Ok(ended),
        })?
    }
}

/// Ends of an edge at a level: the client's id and the server's.
pub type Ends = (String, String);

impl Pods {
    /// The edge's ends at each level at which the pods differ.
    pub fn ends(&self) -> [(&'static str, Ends); 2] {
        let (client, server) = (&self.client, &self.server);
        [
            (
                "container",
                (client.container.node_id(), server.container.node_id()),
            ),
            ("workload", (client.node_id(), server.node_id())),
        ]
    }

    /// The edge between them at workload level.
    pub fn edge(&self, reader: &Reader, port: u16) -> Result<Edge> {
        let (client, server) = (self.client.node_id(), self.server.node_id());
        reader.edge("workload", &client, &server, port)
    }

    /// Waits until the edge between them is exactly so at each level.
    pub fn expect(&self, reader: &Reader, port: u16, counts: &Counts) -> Result<()> {
        self.eventually("the exact counts", || {
            for (level, (client, server)) in &self.ends() {
                reader
                    .edge(level, client, server, port)?
                    .expect_both(counts)?;
            }
            Ok(())
        })
    }
}

/// The product, watching one cgroup.
pub struct Product {
    /// Reads from the aggregator.
    pub reader: Reader,
    /// Counts.
    pub agent: Agent,
    /// Is told.
    pub aggregator: Aggregator,
}

/// The node's name in these tests.
pub const NODE: &str = "node-a";

impl Product {
    /// Starts both and waits until they are ready.
    pub fn watch(root: &CgroupRoot, interval: &str) -> Result<Self> {
        Self::report_to(Aggregator::start()?, root, interval)
    }

    /// Starts an agent that reports to this aggregator, and waits until it is ready.
    pub fn report_to(aggregator: Aggregator, root: &CgroupRoot, interval: &str) -> Result<Self> {
        let agent = Agent::start_with(&aggregator, NODE, root, interval)?;
        Self::of(aggregator, agent)
    }

    /// An aggregator and an agent that reports to it, both started.
    pub fn of(aggregator: Aggregator, agent: Agent) -> Result<Self> {
        Ok(Self {
            reader: aggregator.reader()?,
            agent,
            aggregator,
        })
    }

    /// Waits until the agent has collected twice more and the aggregator has all of it.
    pub fn settle(&self) -> Result<()> {
        self.agent.settle()
    }

    /// Waits until the edge between the pods is exactly so for every reader at every level, and checks that it stays so over
    /// further collections: what is counted too often shows up late, or never goes away.
    pub fn expect(&self, pods: &Pods, port: u16, counts: &Counts) -> Result<()> {
        pods.expect(&self.reader, port, counts)?;
        for (level, (client, server)) in &pods.ends() {
            let edge = self.reader.edge(level, client, server, port)?;
            self.reader.grpc.subscribe(level)?.wait_for_edge(
                PATIENCE,
                (client, server, port),
                |told| same(told, &edge),
            )?;
        }
        self.settle()?;
        for (level, (client, server)) in &pods.ends() {
            for edges in self.every_reader(level)? {
                edge::find(&edges, client, server, port)?.expect_both(counts)?;
            }
        }
        Ok(())
    }

    /// All edges at a level: by HTTP, by the command, by gRPC and as a new subscriber gets them.
    pub fn every_reader(&self, level: &str) -> Result<[Vec<Edge>; 4]> {
        let by_http = self.reader.graph(&format!("level={level}"))?;
        let by_command = self.reader.graph_by_command(&["--level", level])?;
        let told =
            self.reader
                .grpc
                .subscribe(level)?
                .wait_for(PATIENCE, "its snapshot", |known| {
                    ensure!(known.snapshots > 0, "no snapshot yet");
                    Ok(known.clone())
                })?;
        Ok([
            edge::from_json(&by_http)?,
            edge::from_json(&by_command)?,
            self.reader.grpc.edges(level)?,
            told.all_edges()?,
        ])
    }
}

fn same(told: &Edge, edge: &Edge) -> Result<()> {
    ensure!(told == edge, "{told:?} is not {edge:?}");
    Ok(())
}
