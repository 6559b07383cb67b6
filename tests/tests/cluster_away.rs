//! Without the API server everything is counted and has the names that are known; afterwards it has the right ones, and none was wrong meanwhile.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::Calls;
use insight_tests::cluster::{Cluster, Deployment, Load, Namespace, Pod, Relay};
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::edge::{Counts, Edge, find, from_json};
use insight_tests::wait::{PATIENCE, eventually};
use serde_json::Value;

/// Ports that the witness watches, one of each test: who has no name cannot be asked for by a namespace.
const KEPT: u16 = 7082;
const ANEW: u16 = 7084;
/// Bytes of a request and of a reply.
const REQUEST: u64 = 64;
const REPLY: u64 = 640;
const EVERY_MS: u64 = 50;

/// A client that calls a server, each on a node of its own, watched by an aggregator whose way to the API server can be cut.
struct Scene<'a> {
    pods: Namespace<'a>,
    cluster: &'a Cluster,
    relay: Relay,
    aggregator: Aggregator,
    agents: Vec<Agent>,
    to: SocketAddr,
    calls: Calls,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster, port: u16) -> Result<Self> {
        let relay = Relay::new(cluster)?;
        let kubeconfig = relay.kubeconfig();
        let kubeconfig = kubeconfig.to_str().context("a path is text")?;
        let pods = Namespace::new(cluster)?;
        let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
        let agents = cluster.agents(&aggregator)?;
        Load::image()?;
        let mut both = Vec::new();
        for (name, node) in ["server", "client"].into_iter().zip(&cluster.nodes) {
            both.push(pods.deploy(name, node, &[Load::serve(port, REPLY)])?);
        }
        let to = SocketAddr::from((both[0].addresses[0], port));
        let call = format!("call --to {to} --send {REQUEST} --every-ms {EVERY_MS}");
        let calls = Calls::of(pods.load_in(&both[1], "serve", &call)?);
        let scene = Self {
            pods,
            cluster,
            relay,
            aggregator,
            agents,
            to,
            calls,
        };
        let known = || scene.opened_is_more_than(0);
        eventually(PATIENCE, "the calls", known)?;
        ensure!(scene.stale()?.is_none(), "stale from the start");
        Ok(scene)
    }

    fn id(&self, name: &str) -> String {
        format!("deployment:{}/{name}", self.pods.name)
    }

    fn graph(&self, level: &str) -> Result<Value> {
        self.aggregator
            .reader()?
            .graph(&format!("level={level}&ports={}", self.to.port()))
    }

    fn edges(&self) -> Result<Vec<Edge>> {
        from_json(&self.graph("workload")?)
    }

    fn named(&self) -> Result<Edge> {
        find(
            &self.edges()?,
            &self.id("client"),
            &self.id("server"),
            self.to.port(),
        )
    }

    /// Both views of the edge between the two go on, by their names.
    fn opened_is_more_than(&self, than: u64) -> Result<()> {
        let edge = self.named()?;
        let both = [edge.client_view, edge.server_view];
        ensure!(
            both.iter()
                .all(|view| view.is_some_and(|view| view.opened > than)),
            "{edge:?}"
        );
        Ok(())
    }

    /// What the graph says of names that may be old.
    fn stale(&self) -> Result<Option<String>> {
        let graph = self.graph("workload")?;
        let gaps = graph["gaps"].as_array().context("no gaps")?;
        let mut stale = gaps
            .iter()
            .filter(|gap| gap["reason"] == "kubernetes_stale");
        Ok(stale.next().map(|gap| gap["detail"].to_string()))
    }

    fn wait_stale(&self, expected: bool) -> Result<()> {
        eventually(
            PATIENCE,
            "the graph to say whether names may be old",
            || {
                let stale = self.stale()?;
                ensure!(stale.is_some() == expected, "{stale:?}");
                Ok(())
            },
        )
        .with_context(|| self.aggregator.daemon.log())
    }

    /// A workload on the client's node that calls the server for ever.
    fn caller(&self, name: &str) -> Result<Pod> {
        let loads = [Load::call(self.to, REQUEST, EVERY_MS)];
        let node = Some(&self.cluster.nodes[1]);
        Deployment {
            name,
            node,
            replicas: 1,
            loads: &loads,
        }
        .apply(&self.pods)?;
        self.pods.only_pod_with(&format!("app={name}"))
    }

    /// The edge of whoever has this container, whatever it is called, at container level.
    fn told_by(&self, pod: &Pod) -> Result<Counts> {
        let graph = self.graph("container")?;
        let id = format!("container:{}", pod.containers[0]);
        let edges = from_json(&graph)?;
        let edge = edges.iter().find(|edge| edge.client == id);
        edge.and_then(|edge| edge.client_view)
            .with_context(|| format!("no {id} in {edges:?}"))
    }

    /// The calls end, and the graph has each of them once, at both ends, by the right names.
    fn exact_in_the_end(&mut self) -> Result<()> {
        self.calls.end()?;
        let truth = self.calls.all();
        let opened = truth.with_reply(REPLY);
        ensure!(truth.failed == 0 && truth.broken == 0, "{truth:?}");
        self.agents.iter().try_for_each(Agent::settle)?;
        let expected = Counts {
            opened,
            closed: opened,
            bytes_sent: opened * REQUEST,
            bytes_received: opened * REPLY,
            ..Counts::default()
        };
        eprintln!("the truth: {expected:?}");
        eventually(PATIENCE, "the graph to be exact", || {
            self.named()?.expect_both(&expected)
        })
    }
}

#[test]
fn names_are_kept_and_caught_up_with() -> Result<()> {
    needs_root!("names are kept and caught up with");
    Cluster::in_clear_view(|cluster| {
        let mut scene = Scene::new(cluster, KEPT)?;
        scene.relay.cut();
        scene.wait_stale(true)?;
        let before = scene.named()?.client_view.context("no view")?.opened;
        let late = scene.caller("late")?;
        let short = scene.caller("short")?;
        for pod in [&late, &short] {
            eventually(PATIENCE, "calls of a pod that nobody knows", || {
                let counts = scene.told_by(pod)?;
                ensure!(counts.opened > 20, "{counts:?}");
                Ok(())
            })?;
        }
        scene
            .pods
            .kubectl(&["delete", "deployment", "short", "--cascade=foreground"])?;
        // What is known keeps its name; who is not known has none but its id.
        scene.opened_is_more_than(before + 20)?;
        let ids: Vec<String> = scene.edges()?.into_iter().map(|edge| edge.client).collect();
        let strangers = ids.iter().filter(|id| **id != scene.id("client"));
        let strangers: Vec<&String> = strangers.collect();
        ensure!(
            strangers.len() == 2 && strangers.iter().all(|id| id.starts_with("pod:")),
            "{ids:?}"
        );
        ensure!(scene.stale()?.is_some(), "it is still away");

        scene.relay.mend()?;
        scene.wait_stale(false)?;
        eventually(PATIENCE, "the late one's name", || {
            let edge = find(
                &scene.edges()?,
                &scene.id("late"),
                &scene.id("server"),
                KEPT,
            )?;
            let all = scene.told_by(&late)?;
            let by_name = edge.client_view.context("no view")?;
            ensure!(by_name.opened >= all.opened, "{edge:?} of {all:?}");
            Ok(())
        })?;
        // The API server still knows of the one that has come and gone meanwhile.
        let counts = scene.told_by(&short)?;
        let edge = find(
            &scene.edges()?,
            &scene.id("short"),
            &scene.id("server"),
            KEPT,
        )?;
        ensure!(edge.client_view == Some(counts), "{edge:?} of {counts:?}");
        scene.exact_in_the_end()
    })
}

#[test]
fn an_aggregator_that_begins_anew_calls_nobody_by_a_wrong_name() -> Result<()> {
    needs_root!("an aggregator that begins anew calls nobody by a wrong name");
    Cluster::in_clear_view(|cluster| {
        let mut scene = Scene::new(cluster, ANEW)?;
        let before = scene.named()?.client_view.context("no view")?.opened;
        scene.aggregator.daemon.kill()?;
        scene.relay.cut();
        scene.aggregator.restart()?;
        // It knows the names that it kept, and says that they may be old; it counts.
        eventually(PATIENCE, "both ends by their names", || {
            scene.opened_is_more_than(before + 20)
        })?;
        let edges = scene.edges()?;
        ensure!(edges.len() == 1, "{edges:?}");
        ensure!(scene.stale()?.is_some(), "it has heard nothing");
        scene.relay.mend()?;
        scene.wait_stale(false)?;
        eventually(PATIENCE, "the names", || scene.opened_is_more_than(before))?;
        scene.exact_in_the_end()
    })
}
