//! A guestbook over both nodes of the real cluster: each edge has the right names and the right counts, at each level, and there are no others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use insight_proto::v1;
use insight_tests::cluster::guestbook::{FOLLOWER, FRONTEND, Guestbook, LEADER, Truth};
use insight_tests::cluster::{Cluster, Namespace};
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::Reader;
use insight_tests::reader::grpc::at_level;
use insight_tests::wait::{PATIENCE, eventually};
use jiff::Timestamp;

/// Visits of each visitor, and how many a second.
const VISITS: u64 = 150;
const RATE: f64 = 20.0;
/// Where names are looked up.
const DNS: u16 = 53;
const COREDNS: &str = "deployment:kube-system/coredns";
const API_SERVER: &str = "service:default/kubernetes";

/// What somebody did, client, server and port.
type Pair = (String, String, u16);

/// Names of the guestbook's workloads.
struct Names {
    visitor: String,
    frontend: String,
    leader: String,
    follower: String,
    /// Prefix of its Services.
    services: String,
}

impl Names {
    fn of(namespace: &str) -> Self {
        let of = |kind: &str, name: &str| format!("{kind}:{namespace}/{name}");
        Self {
            visitor: of("deployment", "visitor"),
            frontend: of("deployment", "frontend"),
            leader: of("statefulset", "redis-leader"),
            follower: of("deployment", "redis-follower"),
            services: format!("{namespace}/"),
        }
    }

    /// All edges between workloads, with what was dialed, how many connections there were, and how many are still open.
    fn edges(&self, truth: &Truth) -> BTreeMap<Pair, (String, u64, u64)> {
        let edge = |client: &str, server: &str, port, dialed: String, count, open| {
            let pair = (client.to_owned(), server.to_owned(), port);
            (pair, (format!("{}{dialed}", self.services), count, open))
        };
        let (visitors, frontends) = (&truth.visitors, &truth.frontends);
        let leader = || format!("redis-leader:{LEADER}");
        let follower = format!("redis-follower:{FOLLOWER}");
        let visits = visitors.connections;
        BTreeMap::from([
            edge(
                &self.visitor,
                &self.frontend,
                FRONTEND,
                "frontend:80".into(),
                visits,
                0,
            ),
            edge(
                &self.frontend,
                &self.leader,
                LEADER,
                leader(),
                frontends.leader,
                0,
            ),
            edge(
                &self.frontend,
                &self.follower,
                FOLLOWER,
                follower,
                frontends.followers,
                0,
            ),
            edge(
                &self.follower,
                &self.leader,
                LEADER,
                leader(),
                truth.followings,
                truth.followings,
            ),
        ])
    }
}

/// A guestbook whose visitors are done, all that happened, and who watched it.
struct Scene<'a> {
    cluster: &'a Cluster,
    namespace: Namespace<'a>,
    _agents: Vec<Agent>,
    aggregator: Aggregator,
    truth: Truth,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self> {
        let (aggregator, agents) = cluster.insight()?;
        let namespace = Namespace::new(cluster)?;
        let guestbook = Guestbook::start(&namespace)?;
        guestbook.visit(VISITS, RATE)?;
        let truth = guestbook.truth(VISITS)?;
        ensure!(
            truth.frontends.visits == truth.visitors.connections,
            "{truth:?}"
        );
        Ok(Self {
            cluster,
            namespace,
            _agents: agents,
            aggregator,
            truth,
        })
    }

    fn names(&self) -> Names {
        Names::of(&self.namespace.name)
    }

    /// The edges of the guestbook at workload level.
    fn graph(&self, reader: &Reader, level: &str) -> Result<v1::Graph> {
        reader.grpc.graph(v1::GraphQuery {
            namespaces: vec![self.namespace.name.clone()],
            ..at_level(level)
        })
    }

    /// Each edge between the workloads, right and on both views; besides them lookups of names and the kubelets' probes, and nothing else.
    fn workloads(&self, reader: &Reader) -> Result<()> {
        let graph = self.graph(reader, "workload")?;
        let names = self.names();
        let mut left = names.edges(&self.truth);
        let servers = [
            (names.frontend.clone(), FRONTEND),
            (names.leader.clone(), LEADER),
            (names.follower.clone(), FOLLOWER),
        ];
        let mut probed = BTreeSet::new();
        let mut asking = BTreeSet::new();
        for edge in &graph.edges {
            let port = u16::try_from(edge.port)?;
            let pair = (edge.client.clone(), edge.server.clone(), port);
            if let Some((dialed, count, open)) = left.remove(&pair) {
                ensure!(edge.dialed_services == [dialed], "{edge:?}");
                for (view, is_client) in [(&edge.client_view, true), (&edge.server_view, false)] {
                    let view = view.context("a view is missing")?;
                    let found = (
                        view.connections_opened,
                        view.connections_closed,
                        view.active,
                    );
                    ensure!(found == (count, count - open, open), "{edge:?}");
                    // Followers try their leader again until its Service has it; nothing of that reaches it.
                    let may_fail = is_client && open > 0;
                    ensure!(may_fail || view.connections_failed == 0, "{edge:?}");
                }
                agree(edge)?;
            } else if (edge.server.as_str(), port) == (COREDNS, DNS) {
                ensure!(
                    edge.dialed_services == ["kube-system/kube-dns:53"],
                    "{edge:?}"
                );
                asking.insert(edge.client.clone());
            } else if servers.contains(&(edge.server.clone(), port)) {
                // Each node's kubelet is among its own processes.
                let node = self
                    .cluster
                    .nodes
                    .iter()
                    .find(|node| edge.client.starts_with(&format!("cgroup:{}/", node.name)));
                let node = node.with_context(|| format!("no such edge: {edge:?}"))?;
                agree(edge)?;
                probed.insert((edge.server.clone(), node.name.clone()));
            } else {
                anyhow::bail!("there is no such edge: {edge:?}");
            }
        }
        ensure!(left.is_empty(), "there is no edge {left:?} in {graph:?}");
        let all_ask = BTreeSet::from([names.visitor, names.frontend, names.follower]);
        ensure!(asking == all_ask, "names are looked up by {asking:?}");
        // Two of each, one on each node; one leader.
        ensure!(probed.len() == 5, "probes: {probed:?}");
        Ok(())
    }

    /// Between two pods on two nodes both ends tell the same.
    fn pods(&self, reader: &Reader) -> Result<()> {
        let graph = self.graph(reader, "pod")?;
        let node_of: BTreeMap<&str, &str> = graph
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node.node.as_str()))
            .collect();
        let mut across = BTreeMap::new();
        for edge in &graph.edges {
            let is_to_leader = edge.port == u32::from(LEADER) && edge.client.starts_with("pod:");
            let is_across = node_of.get(&*edge.client) != node_of.get(&*edge.server);
            if is_to_leader {
                agree(edge)?;
                *across.entry(is_across).or_insert(0) += 1;
            }
        }
        // A frontend and a follower on its node, and on the other.
        ensure!(
            across == BTreeMap::from([(false, 2), (true, 2)]),
            "{graph:?}"
        );
        Ok(())
    }
}

/// Both views of an edge tell of the same connections and bytes.
fn agree(edge: &v1::Edge) -> Result<()> {
    let counts = |view: &Option<v1::EdgeView>| {
        view.map(|view| {
            let opened = (
                view.connections_opened,
                view.connections_closed,
                view.active,
            );
            (opened, view.bytes_sent, view.bytes_received)
        })
    };
    let (client, server) = (counts(&edge.client_view), counts(&edge.server_view));
    ensure!(
        client.is_some() && client == server,
        "the views differ: {edge:?}"
    );
    Ok(())
}

/// Addresses of all pods, Services and nodes.
fn known_addresses(cluster: &Cluster) -> Result<BTreeSet<IpAddr>> {
    let list = cluster.get(&["pods,services,nodes", "--all-namespaces"])?;
    let items = list["items"].as_array().context("no list")?;
    let addresses = items.iter().flat_map(|item| {
        let lists = [
            (&item["status"]["podIPs"], "/ip"),
            (&item["status"]["addresses"], "/address"),
            (&item["spec"]["clusterIPs"], ""),
        ];
        let found = lists.into_iter().flat_map(|(list, pointer)| {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(move |one| one.pointer(pointer)?.as_str()?.parse().ok())
        });
        found.collect::<Vec<_>>()
    });
    Ok(addresses.collect())
}

/// Nobody whose address Kubernetes knows is an address only, and the API server is called by its Service's name.
fn all_are_named(cluster: &Cluster, reader: &Reader) -> Result<()> {
    let graph = reader.grpc.graph(at_level("workload"))?;
    let known = known_addresses(cluster)?;
    ensure!(known.len() > 10, "{known:?}");
    for node in &graph.nodes {
        let is_address = ["external", "ambiguous"].contains(&node.kind.as_str());
        let address = node.labels.get("address").filter(|_| is_address);
        if let Some(Ok(address)) = address.map(|address| address.parse()) {
            ensure!(!known.contains(&address), "{node:?}");
        }
    }
    let calls = |client: &str, server: &str, ports: &[u32]| {
        let found = graph.edges.iter().any(|edge| {
            edge.client.starts_with(client) && edge.server == server && ports.contains(&edge.port)
        });
        ensure!(found, "no edge {client} → {server} in {:#?}", graph.edges);
        Ok(())
    };
    // As a Service, and as its kubelet has it in its kubeconfig.
    calls(COREDNS, API_SERVER, &[443, 6443])?;
    for node in &cluster.nodes {
        calls(&format!("cgroup:{}/", node.name), API_SERVER, &[6443])?;
    }
    Ok(())
}

/// What of a graph must be the same at each level: of each edge the view that tells more, for a client's view of a Service stands only where its backends are one.
fn sums(graph: &v1::Graph) -> [u64; 5] {
    let mut sums = [0; 5];
    for edge in &graph.edges {
        let (client, server) = (
            edge.client_view.unwrap_or_default(),
            edge.server_view.unwrap_or_default(),
        );
        let counts: [fn(&v1::EdgeView) -> u64; 5] = [
            |view| view.connections_opened,
            |view| view.connections_closed,
            |view| view.connections_failed,
            |view| view.bytes_sent,
            |view| view.bytes_received,
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count(&client).max(count(&server));
        }
    }
    sums
}

/// The guestbook's connections, probes included, of the full minutes from before it until now have the same sums at each level. Only its own
/// ports: with one end unwatched in some of them, an edge that is the sum of many has two views of different connections.
fn levels(scene: &Scene, reader: &Reader, from: i64) -> Result<()> {
    let minute = |second: i64| second - second.rem_euclid(60);
    let to = minute(Timestamp::now().as_second()) + 60;
    eventually(Duration::from_secs(90), "the minute's end", || {
        // What was counted in it has arrived two intervals later.
        ensure!(Timestamp::now().as_second() > to + 2, "not yet");
        Ok(())
    })?;
    let second = |seconds: i64| prost_types::Timestamp { seconds, nanos: 0 };
    let at = |level: &str| {
        reader.grpc.graph(v1::GraphQuery {
            from: Some(second(minute(from))),
            to: Some(second(to)),
            ports: [FRONTEND, LEADER, FOLLOWER]
                .map(|port| port.to_string())
                .to_vec(),
            ..at_level(level)
        })
    };
    let levels = [
        "container",
        "pod",
        "workload",
        "service",
        "namespace",
        "node",
        "zone",
    ];
    let expected = sums(&at("workload")?);
    let least = scene.truth.visitors.connections + scene.truth.frontends.followers;
    ensure!(expected[0] > least, "{expected:?}");
    for level in levels {
        let graph = at(level)?;
        let found = sums(&graph);
        eprintln!("{level:10} {:3} edges {found:?}", graph.edges.len());
        ensure!(
            found == expected,
            "{level}: {found:?}, but workload: {expected:?}"
        );
    }
    Ok(())
}

fn round(cluster: &Cluster) -> Result<()> {
    let begin = Timestamp::now().as_second();
    let scene = Scene::new(cluster)?;
    let reader = scene.aggregator.reader()?;
    eventually(PATIENCE, "the guestbook's edges", || {
        scene.workloads(&reader)
    })?;
    eventually(PATIENCE, "both views of two nodes", || scene.pods(&reader))?;
    all_are_named(cluster, &reader)?;
    levels(&scene, &reader, begin)?;
    eprintln!("{:?}", scene.truth);
    Ok(())
}

#[test]
fn every_edge_is_right_and_there_is_no_other() -> Result<()> {
    needs_root!("a guestbook on the cluster");
    Cluster::in_clear_view(round)
}
