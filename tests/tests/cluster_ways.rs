//! The ways to a server beside a pod's own IPv4 address: its node's, a headless Service's name, a port of every node, IPv6.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::calls::told;
use insight_tests::cluster::stage::node_of;
use insight_tests::cluster::{Cluster, Load, Namespace, Node, Pod, Stage, image};
use insight_tests::load::client;
use insight_tests::load::tally::Tally;
use insight_tests::needs_root;
use insight_tests::reader::edge::{Counts, find, from_json};
use insight_tests::wait::{PATIENCE, eventually};

/// Ports that the witness watches, one of each test.
const ON_NODE: u16 = 7088;
const BACK: u16 = 7089;
const HEADLESS: u16 = 7090;
const OPEN: u16 = 7091;
const SIX: u16 = 7092;
const REQUEST: u64 = 120;
const REPLY: u64 = 480;
const EVERY_MS: u64 = 30;

/// A pod on its node's network.
fn on_network_of(pods: &Namespace, node: &Node, name: &str, loads: &[Load]) -> Result<Pod> {
    let containers: Vec<String> = loads.iter().map(Load::container).collect::<Result<_>>()?;
    pods.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  nodeName: {}
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  containers: [{}]
",
        node.name,
        containers.join(", ")
    ))?;
    pods.wait("Ready", &[&format!("pod/{name}")])?;
    pods.pod(name)
}

#[test]
fn a_pod_on_its_nodes_network_is_itself() -> Result<()> {
    needs_root!("a pod on its node's network is itself");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let pods = &stage.pods;
        let inner = stage.deploy("inner", far, &[Load::serve(BACK, REPLY)])?;
        let back = SocketAddr::from((inner.addresses[0], BACK));
        // It serves at its node's address, and calls a pod, and another one on another node's network.
        let there = on_network_of(pods, far, "there", &[Load::serve(ON_NODE, REPLY)])?;
        ensure!(there.addresses[0] == IpAddr::V4(far.address), "{there:?}");
        let at_node = SocketAddr::from((far.address, ON_NODE));
        let calls = [
            Load::call_times(back, REQUEST, EVERY_MS, 30).named("to-pod"),
            Load::call_times(at_node, REQUEST, EVERY_MS, 40).named("to-node"),
        ];
        let here = on_network_of(pods, near, "here", &calls)?;
        let beside = [Load::call_times(at_node, REQUEST, EVERY_MS, 50).named("to-node")];
        let outer = stage.deploy("outer", near, &beside)?;
        // On the server's own node by the loopback address.
        let alike = [Load::call_times(
            SocketAddr::from(([127, 0, 0, 1], ON_NODE)),
            REQUEST,
            EVERY_MS,
            60,
        )];
        let alike = on_network_of(pods, far, "alike", &alike)?;
        let truth = [
            (&here, "to-pod", 30, stage.id("deployment", "inner"), BACK),
            (&here, "to-node", 40, format!("pod:{}", there.uid), ON_NODE),
            (&outer, "to-node", 50, format!("pod:{}", there.uid), ON_NODE),
            (&alike, "call", 60, format!("pod:{}", there.uid), ON_NODE),
        ];
        let mut expected = Vec::new();
        for (pod, container, times, server, port) in &truth {
            let tally = told(pods, &pod.name, container, *times)?;
            let client = if pod.uid == outer.uid {
                stage.id("deployment", "outer")
            } else {
                format!("pod:{}", pod.uid)
            };
            expected.push((client, server, *port, Counts::finished(&tally)));
        }
        stage.settle()?;
        eventually(PATIENCE, "edges of pods on their nodes' network", || {
            let graph = stage.graph(&format!("level=workload&ports={ON_NODE},{BACK}"))?;
            let edges = from_json(&graph)?;
            for (client, server, port, counts) in &expected {
                find(&edges, client, server, *port)?.expect_both(counts)?;
            }
            ensure!(edges.len() == expected.len(), "{edges:#?}");
            let node = node_of(&graph, &format!("pod:{}", there.uid))?;
            ensure!(
                node["name"] == "there" && node["node"] == far.name.as_str(),
                "{node}"
            );
            Ok(())
        })
    })
}

#[test]
fn a_headless_services_pods_stand_behind_it() -> Result<()> {
    needs_root!("a headless Service's pods stand behind it");
    const TIMES: u64 = 40;
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let pods = &stage.pods;
        let serve = ["httpd", "-f", "-p", &HEADLESS.to_string(), "-h", "/etc"];
        for (name, node) in [("one", near), ("two", far)] {
            pods.run(name, node, image::BUSYBOX, &serve)?;
        }
        pods.run("asks", near, image::BUSYBOX, &["sleep", "3600"])?;
        pods.kubectl(&["label", "pods", "one", "two", "role=web"])?;
        pods.apply(&format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{clusterIP: None, selector: {{role: web}}, ports: [{{port: {HEADLESS}}}]}}
"
        ))?;
        pods.wait("Ready", &["pods", "--all"])?;
        let both = || {
            pods.exec(
                "asks",
                &[
                    "nslookup",
                    "-type=a",
                    &format!("web.{}.svc.cluster.local", pods.name),
                ],
            )
        };
        let servers = [pods.pod("one")?, pods.pod("two")?];
        eventually(PATIENCE, "the Service's name", || {
            let answer = both()?;
            let is_there = |pod: &Pod| answer.contains(&pod.addresses[0].to_string());
            ensure!(servers.iter().all(is_there), "{answer}");
            Ok(())
        })?;
        let script = format!(
            "for i in $(seq {TIMES}); do wget -q -O /dev/null http://web:{HEADLESS}/passwd || exit 1; done"
        );
        pods.exec("asks", &["sh", "-c", &script])?;
        stage.settle()?;
        let client = format!("pod:{}", pods.pod("asks")?.uid);
        let service = stage.id("service", "web");
        eventually(PATIENCE, "the edge to the Service's pods", || {
            let graph = stage.graph(&format!("level=service&ports={HEADLESS}"))?;
            let edges = from_json(&graph)?;
            ensure!(edges.len() == 1, "{edges:#?}");
            let edge = find(&edges, &client, &service, HEADLESS)?;
            for view in [edge.client_view, edge.server_view] {
                let view = view.context("a view is missing")?;
                let counts = (view.opened, view.closed, view.failed);
                ensure!(counts == (TIMES, TIMES, 0), "{edge:?}");
            }
            // A headless Service has no address of its own that could be dialed, and no pod is called otherwise for it.
            let graph = stage.graph(&format!("level=pod&ports={HEADLESS}"))?;
            let named = format!("{}/web", pods.name);
            for edge in from_json(&graph)? {
                let server = servers
                    .iter()
                    .find(|pod| edge.server == format!("pod:{}", pod.uid));
                ensure!(server.is_some() && edge.dialed.is_empty(), "{edge:?}");
                ensure!(edge.client_view == edge.server_view, "{edge:?}");
                let node = node_of(&graph, &edge.server)?;
                ensure!(node["services"] == serde_json::json!([named]), "{node}");
            }
            Ok(())
        })
    })
}

/// Makes a Service in front of `web` and gives the port of every node that leads to it.
fn open(pods: &Namespace, policy: &str) -> Result<u16> {
    pods.apply(&format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, externalTrafficPolicy: {policy}, selector: {{app: web}}, ports: [{{port: 80, targetPort: {OPEN}}}]}}
"
    ))?;
    let service = pods.get(&["service", "web"])?;
    let port = service["spec"]["ports"][0]["nodePort"].as_u64();
    Ok(u16::try_from(port.context("no port of the nodes")?)?)
}

#[test]
fn a_port_of_every_node_leads_to_a_services_workload() -> Result<()> {
    needs_root!("a port of every node leads to a Service's workload");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let pods = &stage.pods;
        stage.deploy("web", far, &[Load::serve(OPEN, REPLY)])?;
        let port = open(pods, "Cluster")?;
        let [to_near, to_far] = [near, far].map(|node| SocketAddr::from((node.address, port)));
        // Of this machine, which no agent watches; each that comes through at the far node is counted there.
        let mut from_here = Counts::default();
        let mut call = |to, connections| -> Result<()> {
            let plan = client::Plan::new(to, connections, REQUEST, REPLY);
            from_here += Counts::finished(&client::run(&plan)?);
            Ok(())
        };
        eventually(PATIENCE, "the nodes' port", || call(to_far, 1))?;
        call(to_far, 20)?;
        let calls = [
            Load::call_times(to_far, REQUEST, EVERY_MS, 30).named("far"),
            Load::call_times(to_near, REQUEST, EVERY_MS, 40).named("near"),
        ];
        let client = stage.deploy("client", near, &calls)?;
        let by_far = told(pods, &client.name, "far", 30)?;
        let by_near = told(pods, &client.name, "near", 40)?;
        stage.settle()?;
        let [from, web] = ["client", "web"].map(|name| stage.id("deployment", name));
        let query = format!("level=workload&ports={OPEN},{port}");
        eventually(PATIENCE, "edges by a port of the nodes", || {
            let graph = stage.graph(&query)?;
            let edges = from_json(&graph)?;
            ensure!(edges.len() == 2, "{edges:#?}");
            let edge = find(&edges, &from, &web, OPEN)?;
            let all = Counts::finished(&(by_far + by_near));
            ensure!(edge.client_view == Some(all), "{edge:?} of {all:?}");
            let mut dialed = [to_near, to_far].map(|to| to.to_string());
            dialed.sort();
            ensure!(edge.dialed == dialed, "{edge:?}");
            let services = graph["edges"].as_array().into_iter().flatten();
            let mut services = services.filter(|one| one["id"] == edge.id.as_str());
            let named = services.next().context("the edge")?;
            let service = format!("{}/web:80", pods.name);
            ensure!(
                named["dialed_services"] == serde_json::json!([service]),
                "{named}"
            );
            // A node that leads a connection on puts its own address in the place of the client's: the server cannot know more.
            let node = find(&edges, &format!("node:{}", far.name), &web, OPEN)?;
            let mut expected = from_here;
            expected += Counts::finished(&by_far);
            ensure!(node.client_view.is_none(), "{node:?}");
            ensure!(
                node.server_view == Some(expected),
                "{node:?} of {expected:?}"
            );
            Ok(())
        })?;
        // With this policy a node keeps the client's address, and leads to its own pods only.
        let again = open(pods, "Local")?;
        ensure!(again == port, "another port: {again}");
        eventually(PATIENCE, "this machine's own address", || {
            client::run(&client::Plan::new(to_far, 1, REQUEST, REPLY))?;
            stage.settle()?;
            of_this_machine(&stage, &query, &web)
        })?;
        let mut expected = of_this_machine(&stage, &query, &web)?;
        let more = client::run(&client::Plan::new(to_far, 25, REQUEST, REPLY))?;
        expected += Counts::finished(&more);
        stage.settle()?;
        eventually(PATIENCE, "this machine's connections", || {
            let found = of_this_machine(&stage, &query, &web)?;
            ensure!(found == expected, "{found:?} of {expected:?}");
            Ok(())
        })
    })
}

/// What the server has from this machine, which is called by what Kubernetes knows of its address: the API server's.
fn of_this_machine(stage: &Stage, query: &str, server: &str) -> Result<Counts> {
    let edges = stage.edges(query)?;
    let edge = find(&edges, "service:default/kubernetes", server, OPEN)?;
    ensure!(edge.client_view.is_none(), "{edge:?}");
    edge.server_view.context("no view")
}

/// The address of a pod in IPv6.
fn six(pod: &Pod) -> Result<IpAddr> {
    let mut addresses = pod.addresses.iter();
    let six = addresses.find(|address| address.is_ipv6());
    six.copied().with_context(|| format!("no IPv6: {pod:?}"))
}

#[test]
fn both_addresses_of_a_pod_are_one_pod() -> Result<()> {
    needs_root!("both addresses of a pod are one pod");
    Cluster::in_clear_view(|cluster| {
        let stage = Stage::new(cluster)?;
        let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]];
        let pods = &stage.pods;
        let web = stage.deploy("web", far, &[Load::serve(SIX, REPLY)])?;
        pods.apply(&format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{ipFamilyPolicy: SingleStack, ipFamilies: [IPv6], selector: {{app: web}}, ports: [{{port: {SIX}}}]}}
"
        ))?;
        let service = pods.get(&["service", "web"])?;
        let service = service["spec"]["clusterIP"]
            .as_str()
            .context("no address")?;
        let service: IpAddr = service.parse()?;
        ensure!(service.is_ipv6(), "{service}");
        let to = |address: IpAddr| SocketAddr::from((address, SIX));
        let calls = [
            Load::call_times(to(web.addresses[0]), REQUEST, EVERY_MS, 20).named("four"),
            Load::call_times(to(six(&web)?), REQUEST, EVERY_MS, 30).named("six"),
        ];
        let client = stage.deploy("client", near, &calls)?;
        let mut truth = Tally::default();
        for (container, times) in [("four", 20), ("six", 30)] {
            truth += told(pods, &client.name, container, times)?;
        }
        let [from, web_id] = ["client", "web"].map(|name| stage.id("deployment", name));
        stage.settle()?;
        let query = |level| format!("level={level}&ports={SIX}");
        eventually(PATIENCE, "one edge for both", || {
            let edges = stage.edges(&query("workload"))?;
            ensure!(edges.len() == 1, "{edges:#?}");
            find(&edges, &from, &web_id, SIX)?.expect_both(&Counts::finished(&truth))?;
            let edges = stage.edges(&query("pod"))?;
            ensure!(edges.len() == 1, "{edges:#?}");
            let [from, to] = [&client, &web].map(|pod| format!("pod:{}", pod.uid));
            find(&edges, &from, &to, SIX)?.expect_both(&Counts::finished(&truth))
        })?;
        // A Service's address in IPv6, and a node's.
        let there = on_network_of(pods, far, "there", &[Load::serve(SIX + 1, REPLY)])?;
        let calls = [
            Load::call_times(to(service), REQUEST, EVERY_MS, 25).named("service"),
            Load::call_times((six(&there)?, SIX + 1).into(), REQUEST, EVERY_MS, 35).named("node"),
        ];
        let more = stage.deploy("more", near, &calls)?;
        let by_service = Counts::finished(&told(pods, &more.name, "service", 25)?);
        let by_node = Counts::finished(&told(pods, &more.name, "node", 35)?);
        stage.settle()?;
        eventually(PATIENCE, "the edges by a Service and a node", || {
            let graph = stage.graph(&format!("level=workload&ports={SIX},{}", SIX + 1))?;
            let edges = from_json(&graph)?;
            ensure!(edges.len() == 3, "{edges:#?}");
            let more = stage.id("deployment", "more");
            let edge = find(&edges, &more, &web_id, SIX)?;
            edge.expect_both(&by_service)?;
            ensure!(edge.dialed == [to(service).to_string()], "{edge:?}");
            let edge = find(&edges, &more, &format!("pod:{}", there.uid), SIX + 1)?;
            edge.expect_both(&by_node)
        })
    })
}
