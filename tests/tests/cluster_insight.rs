//! Cluster Insight's API over a real API server: the cluster that its own tests knew has the counts that they asserted, and pods that talk are
//! related.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::{Cluster, Namespace, image};
use insight_tests::needs_root;
use insight_tests::product::Aggregator;
use insight_tests::reader::http;
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::witness::{Round, Witness, in_clear_view};
use serde_json::{Value, json};

/// What Cluster Insight knew, as types of resources and relations.
const KNOWN: &str = "Cluster,Node,Service,Pod,Container,Image,ReplicationController,contains,runs,createdFrom,loadBalances,monitors";
/// Where the server of the other test listens; the witness watches it.
const PORT: u16 = 7080;
/// How often its client asks.
const TIMES: u64 = 20;

/// A pod of the guestbook, as the API server has it once its kubelet has told of it.
struct Pod {
    name: String,
    app: &'static str,
    node: usize,
    containers: &'static [&'static str],
}

/// Nodes without a kubelet. The last one is gone before anybody looks, and only its pods tell of it.
struct Nodes<'a> {
    cluster: &'a Cluster,
    namespace: &'a Namespace<'a>,
    names: Vec<String>,
}

impl<'a> Nodes<'a> {
    fn new(cluster: &'a Cluster, namespace: &'a Namespace<'a>) -> Result<Self> {
        let prefix = &namespace.name;
        let names: Vec<String> = (1..=5)
            .map(|number| format!("{prefix}-n{number}"))
            .collect();
        let nodes = Self {
            cluster,
            namespace,
            names,
        };
        let list = nodes.names.iter().map(|name| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {
                // Nobody else's pods.
                "taints": [{"key": "insight-test", "effect": "NoSchedule"}]}})
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": list.collect::<Vec<_>>()});
        let mut file = tempfile::NamedTempFile::with_suffix(".json")?;
        std::io::Write::write_all(&mut file, list.to_string().as_bytes())?;
        cluster.apply(file.path())?;
        Ok(nodes)
    }

    fn forget_the_last(&self) -> Result<()> {
        let last = self.names.last().context("there are some")?;
        self.cluster.kubectl(&["delete", "node", last]).map(drop)
    }
}

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let words = [&["delete", "node", "--ignore-not-found"], &names[..]].concat();
        // First who would make pods again. No kubelet will say that those there are have ended.
        let controllers = ["delete", "rc", "--all", "--cascade=orphan"];
        let pods = ["delete", "pods", "--all", "--force", "--grace-period=0"];
        let gone = self.namespace.kubectl(&controllers);
        let gone = gone.and(self.namespace.kubectl(&pods));
        if let Err(error) = self.cluster.kubectl(&words).and(gone) {
            eprintln!("left behind: {error:#}");
        }
    }
}

/// Six pods of three controllers, DNS with three containers, one pod on each node, three on the last.
fn pods() -> Vec<Pod> {
    let mut pods = Vec::new();
    let mut add = |name: String, app, node, containers| {
        pods.push(Pod {
            name,
            app,
            node,
            containers,
        });
    };
    for number in 0..3 {
        add(
            format!("frontend-{number}"),
            "frontend",
            number,
            &["frontend"][..],
        );
    }
    add(
        "redis-master-0".into(),
        "redis-master",
        0,
        &["redis-master"],
    );
    for number in 0..2 {
        let name = format!("redis-slave-{number}");
        add(name, "redis-slave", number + 1, &["redis-slave"]);
    }
    add(
        "kube-dns".into(),
        "kube-dns",
        3,
        &["etcd", "kube2sky", "skydns"],
    );
    for number in 0..4 {
        add(format!("fluentd-{number}"), "fluentd", number, &["fluentd"]);
    }
    add("apiserver".into(), "apiserver", 4, &["apiserver"]);
    add("scheduler".into(), "scheduler", 4, &["scheduler"]);
    add("controllers".into(), "controllers", 4, &["controllers"]);
    pods
}

impl Pod {
    fn manifest(&self, nodes: &[String]) -> Value {
        let containers = self.containers.iter();
        let containers = containers
            .map(|name| json!({"name": name, "image": format!("{name}:1"), "imagePullPolicy": "Never", "env": [{"name": "PASSWORD", "value": "hunter2"}]}));
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "labels": {"app": self.app}},
            "spec": {"nodeName": nodes[self.node], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
                "tolerations": [{"operator": "Exists"}], "containers": containers.collect::<Vec<_>>()}})
    }

    /// What its kubelet would say.
    fn status(&self, number: usize, namespace: &str) -> Value {
        let containers = self.containers.iter().map(|name| {
            json!({"name": name, "image": format!("{name}:1"), "imageID": format!("registry.example/{name}@sha256:1"),
                "containerID": format!("containerd://{namespace}-{}-{name}", self.name),
                "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-31T12:00:00Z"}}})
        });
        let address = format!("198.51.100.{}", number + 1);
        json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": containers.collect::<Vec<_>>()}})
    }
}

/// Pods first: the controllers find as many as they want, and take them.
fn make(namespace: &Namespace, nodes: &Nodes) -> Result<()> {
    let pods = pods();
    let manifests: Vec<Value> = pods.iter().map(|pod| pod.manifest(&nodes.names)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    // Its service account comes a moment after the namespace.
    eventually(PATIENCE, "the pods", || namespace.apply(&list))?;
    for (number, pod) in pods.iter().enumerate() {
        let status = pod.status(number, &namespace.name).to_string();
        let words = [
            "patch",
            "pod",
            &pod.name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ];
        namespace.kubectl(&words)?;
    }
    let mut rest = String::new();
    for (name, replicas) in [("frontend", 3), ("redis-master", 1), ("redis-slave", 2)] {
        write!(
            rest,
            "---\n{{apiVersion: v1, kind: ReplicationController, metadata: {{name: {name}}}, spec: {{replicas: {replicas}, selector: {{app: {name}}}, \
             template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: {name}, image: '{name}:1', imagePullPolicy: Never}}]}}}}}}}}\n"
        )?;
    }
    for name in [
        "frontend",
        "redis-master",
        "redis-slave",
        "kube-dns",
        "nobody",
    ] {
        write!(
            rest,
            "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}}}\n"
        )?;
    }
    // Without a selector, as `kubernetes` is.
    rest.push_str("---\n{apiVersion: v1, kind: Service, metadata: {name: kube}, spec: {ports: [{port: 443}]}}\n");
    namespace.apply(&rest)
}

fn ask(aggregator: &Aggregator, path: &str) -> Result<Value> {
    let body = http::get_ok(aggregator.http_port, path)?;
    serde_json::from_str(&body).with_context(|| body.clone())
}

fn counts(answer: &Value, list: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in answer[list].as_array().into_iter().flatten() {
        let kind = item["type"].as_str().unwrap_or_default();
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

fn as_counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let pairs = expected.iter();
    pairs
        .map(|(kind, count)| ((*kind).to_owned(), *count))
        .collect()
}

#[test]
fn the_guestbook_has_its_golden_counts() -> Result<()> {
    needs_root!("a cluster");
    let cluster = Cluster::obtain()?;
    let namespace = Namespace::new(&cluster)?;
    let nodes = Nodes::new(&cluster, &namespace)?;
    make(&namespace, &nodes)?;
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let golden = [
        ("Cluster", 1),
        ("Container", 16),
        ("Image", 10),
        ("Node", 5),
        ("Pod", 14),
        ("ReplicationController", 3),
        ("Service", 6),
    ];
    let related = [
        ("contains", 30),
        ("createdFrom", 16),
        ("loadBalances", 7),
        ("monitors", 6),
        ("runs", 14),
    ];
    // The pods of a node that is gone follow it within a minute.
    nodes.forget_the_last()?;
    let path = format!("/cluster?namespace={}&type={KNOWN}", namespace.name);
    let listed = |answer: &Value| {
        let all = answer["resources"].as_array().into_iter().flatten();
        all.filter(|one| one["type"] == "Node" && one["properties"] != json!({}))
            .count()
    };
    let answer = eventually(PATIENCE, "the golden counts", || {
        let answer = ask(&aggregator, &path)?;
        let found = counts(&answer, "resources");
        ensure!(found == as_counts(&golden), "{found:?}");
        let found = counts(&answer, "relations");
        ensure!(found == as_counts(&related), "{found:?}");
        ensure!(listed(&answer) == 4, "{answer:#}");
        Ok(answer)
    })?;
    ensure!(!answer.to_string().contains("hunter2"), "{answer:#}");
    Ok(())
}

/// As much of the Gateway API as the next test needs.
const ROUTES: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: HTTPRoute, plural: httproutes, singular: httproute}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"#;

/// The kind HTTPRoute. One that was there before stays.
struct Routes<'a>(Option<&'a Cluster>);

impl<'a> Routes<'a> {
    const CRD: [&'static str; 2] = ["crd", "httproutes.gateway.networking.k8s.io"];

    fn new(cluster: &'a Cluster, namespace: &Namespace) -> Result<Self> {
        let known = cluster.try_kubectl(&[&["get"], &Self::CRD[..]].concat())?;
        if known.code == Some(0) {
            return Ok(Self(None));
        }
        namespace.apply(ROUTES)?;
        let made = Self(Some(cluster));
        namespace.wait("Established", &Self::CRD)?;
        Ok(made)
    }
}

impl Drop for Routes<'_> {
    fn drop(&mut self) {
        let Some(cluster) = self.0 else { return };
        if let Err(error) = cluster.kubectl(&[&["delete"], &Self::CRD[..]].concat()) {
            eprintln!("left behind: {error:#}");
        }
    }
}

#[test]
fn routes_of_both_kinds_lead_to_services() -> Result<()> {
    needs_root!("a cluster");
    let cluster = Cluster::obtain()?;
    let namespace = Namespace::new(&cluster)?;
    let _routes = Routes::new(&cluster, &namespace)?;
    let service =
        "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}";
    let ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: in}, \
                   spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}";
    let route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: route}, \
                 spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}}";
    namespace.apply(&[service, ingress, route].join("\n---\n"))?;
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let space = &namespace.name;
    let path = format!("/cluster?namespace={space}&type=routes");
    eventually(PATIENCE, "both routes", || {
        let answer = ask(&aggregator, &path)?;
        let relations = answer["relations"].as_array().context("relations")?;
        let found: Vec<(&Value, &Value)> = relations
            .iter()
            .map(|relation| (&relation["source"], &relation["target"]))
            .collect();
        let to = json!(format!("Service:{space}/web"));
        let from = ["HTTPRoute", "Ingress"].into_iter().zip(["route", "in"]);
        let from: Vec<Value> = from
            .map(|(kind, name)| json!(format!("{kind}:{space}/{name}")))
            .collect();
        let expected: Vec<(&Value, &Value)> = from.iter().map(|from| (from, &to)).collect();
        ensure!(found == expected, "{found:?}");
        Ok(())
    })
}

/// A client on the first node and a server on the second.
fn pods_that_talk_are_related_in(cluster: &Cluster) -> Result<()> {
    let pods = Namespace::new(cluster)?;
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let mut agents = Vec::new();
    for node in &cluster.nodes {
        agents.push(node.agent(&aggregator, &["--pin-dir", "off"])?);
    }
    let serve = ["httpd", "-f", "-p", &PORT.to_string(), "-h", "/etc"];
    pods.run("server", &cluster.nodes[1], image::BUSYBOX, &serve)?;
    pods.run(
        "client",
        &cluster.nodes[0],
        image::BUSYBOX,
        &["sleep", "3600"],
    )?;
    pods.wait("Ready", &["pod/server", "pod/client"])?;
    let address = pods.pod("server")?.addresses[0];
    let script = format!(
        "for i in $(seq {TIMES}); do wget -q -O /dev/null http://{address}:{PORT}/passwd || exit 1; done"
    );
    pods.exec("client", &["sh", "-c", &script])?;

    let space = &pods.name;
    let path = format!("/cluster?namespace={space}&type=communicatesWith");
    let (client, server) = (format!("Pod:{space}/client"), format!("Pod:{space}/server"));
    eventually(PATIENCE, "the pods' relation", || {
        let answer = ask(&aggregator, &path)?;
        let relations = answer["relations"].as_array().context("relations")?;
        let mut found = relations.iter().filter(|relation| {
            let port = &relation["annotations"]["metadata"]["port"];
            relation["source"] == client && relation["target"] == server && *port == PORT
        });
        let relation = found.next().with_context(|| format!("{answer:#}"))?;
        let told = &relation["annotations"]["metadata"];
        ensure!(
            told["connections"] == TIMES && told["failed"] == 0,
            "{told}"
        );
        ensure!(found.next().is_none(), "{answer:#}");
        Ok(())
    })?;
    let minions = ask(&aggregator, "/minions_status")?;
    for node in &cluster.nodes {
        ensure!(minions["minionsStatus"][&node.name] == "OK", "{minions}");
    }
    Ok(())
}

#[test]
fn pods_that_talk_are_related() -> Result<()> {
    needs_root!("agents as processes of the nodes");
    let cluster = Cluster::obtain()?;
    in_clear_view(|| {
        let witness = Witness::start();
        Ok(Round {
            ended: pods_that_talk_are_related_in(&cluster),
            hidden: witness.hidden()?,
        })
    })
}
