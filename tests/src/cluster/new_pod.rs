//! How long after its first connection a new pod is shown to a subscriber, by name.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::{Cluster, Namespace, image};
use crate::bench::stats::percentile;
use crate::load::arrival::{Arrival, now_ns};
use crate::reader::Known;
use crate::wait::{PATIENCE, eventually};

const IMAGE: &str = "insight-load:arrival";
const PORT: u16 = 7090;
/// Pods that are made at once: each node starts a few in a second.
const AT_ONCE: usize = 4;

/// What was measured.
#[derive(Clone, Debug)]
pub struct Times {
    /// From each pod's connection to the delta that had its edge with the right names, milliseconds.
    pub to_names: Vec<f64>,
    /// Addresses that were shown as such before Kubernetes had told whose they are.
    pub nameless_at_first: usize,
    /// Cgroups that were shown without a name. What an agent says of itself is said once, so these never get one.
    pub nameless_cgroups: Vec<String>,
}

/// Makes pods of one Deployment, a few at a time, on both nodes, each of which connects to a Service as soon as it runs.
pub fn measure(cluster: &Cluster, pods: usize) -> Result<Times> {
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let mut agents = Vec::new();
    for node in &cluster.nodes {
        agents.push(node.agent(&aggregator, &["--pin-dir", "off"])?);
    }
    let namespace = Namespace::new(cluster)?;
    image::of_program(IMAGE, "insight-load")?;
    namespace.apply(&hall()?)?;
    namespace.wait("Available", &["deployment/hall"])?;
    let service = namespace.get(&["service", "hall"])?;
    let address = service["spec"]["clusterIP"]
        .as_str()
        .context("no address")?;
    namespace.apply(&guests(address)?)?;

    let reader = aggregator.reader()?;
    let mut subscription = reader.grpc.subscribe("pod")?;
    let mut seen = Seen::new(&namespace.name);
    let mut made = 0;
    while made < pods {
        made = pods.min(made + AT_ONCE);
        let replicas = format!("--replicas={made}");
        namespace.kubectl(&["scale", "deployment/guest", &replicas])?;
        subscription.wait_for(PATIENCE, "new pods", |known| {
            seen.look(known)?;
            let shown = seen.named.len();
            ensure!(shown == made, "{shown} of {made} are shown");
            Ok(())
        })?;
    }
    drop(subscription);
    seen.times(&namespace)
}

/// What a subscriber was shown, and when first.
struct Seen {
    guest: String,
    hall: String,
    /// When each pod, by its id, was shown with its names, nanoseconds.
    named: BTreeMap<String, u64>,
    /// Other clients, by id, with their kinds.
    nameless: BTreeMap<String, String>,
}

impl Seen {
    fn new(namespace: &str) -> Self {
        Self {
            guest: format!("deployment:{namespace}/guest"),
            hall: format!("deployment:{namespace}/hall"),
            named: BTreeMap::new(),
            nameless: BTreeMap::new(),
        }
    }

    fn look(&mut self, known: &Known) -> Result<()> {
        let now = now_ns()?;
        let workload = |id: &str| known.nodes.get(id).map(|node| node.workload.as_str());
        for edge in known.edges.values() {
            if edge.port != u32::from(PORT) || self.named.contains_key(&edge.client) {
                continue;
            }
            let ends = [workload(&edge.client), workload(&edge.server)];
            if ends == [Some(self.guest.as_str()), Some(self.hall.as_str())] {
                self.named.insert(edge.client.clone(), now);
                continue;
            }
            let client = known.nodes.get(&edge.client).context("an end is a node")?;
            // A probe of the node's own has a name.
            if !client.labels.contains_key("cgroup") {
                self.nameless
                    .insert(edge.client.clone(), client.kind.clone());
            }
        }
        Ok(())
    }

    /// Puts beside it what the pods themselves say.
    fn times(&self, namespace: &Namespace) -> Result<Times> {
        let log = [
            "logs",
            "--selector",
            "app=guest",
            "--tail=-1",
            "--max-log-requests=500",
        ];
        let arrivals: Vec<Arrival> = eventually(PATIENCE, "the guests' own words", || {
            let log = namespace.kubectl(&log)?;
            let arrivals: Vec<_> = log.lines().map(Arrival::from_json).collect::<Result<_>>()?;
            ensure!(
                arrivals.len() == self.named.len(),
                "{} spoke",
                arrivals.len()
            );
            Ok(arrivals)
        })?;
        let pods = namespace.pods()?;
        let of = |arrival: &Arrival| {
            let address = arrival.from.ip();
            let pod = pods.iter().find(|pod| pod.addresses.contains(&address));
            let id = format!("pod:{}", pod.context("an address of no pod")?.uid);
            let shown = self
                .named
                .get(&id)
                .with_context(|| format!("{id} was not shown"))?;
            anyhow::Ok(shown.saturating_sub(arrival.at_ns) as f64 / 1e6)
        };
        let cgroups = self.nameless.iter().filter(|(_, kind)| *kind == "cgroup");
        let nameless_cgroups: Vec<_> = cgroups.map(|(id, _)| id.clone()).collect();
        Ok(Times {
            to_names: arrivals.iter().map(of).collect::<Result<_>>()?,
            nameless_at_first: self.nameless.len() - nameless_cgroups.len(),
            nameless_cgroups,
        })
    }
}

impl Times {
    /// So many percent of the pods were shown within this time, milliseconds; none without pods.
    pub fn percentile(&self, percent: u8) -> Option<f64> {
        percentile(&self.to_names, f64::from(percent) / 100.0)
    }
}

fn deployment(name: &str, replicas: usize, command: &[&str], probe: &str) -> Result<String> {
    let command = serde_json::to_string(command)?;
    Ok(format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 0
      containers:
        - name: {name}
          image: localhost/{IMAGE}
          imagePullPolicy: Never
          command: {command}{probe}
"
    ))
}

/// The one whom the guests call.
fn hall() -> Result<String> {
    let listen = format!("0.0.0.0:{PORT}");
    let command = ["/insight-load", "server", "--listen", &listen];
    let probe =
        format!("\n          readinessProbe: {{tcpSocket: {{port: {PORT}}}, periodSeconds: 1}}");
    let service = format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: hall}}
spec:
  selector: {{app: hall}}
  ports: [{{port: {PORT}}}]
"
    );
    Ok(deployment("hall", 1, &command, &probe)? + &service)
}

fn guests(address: &str) -> Result<String> {
    let to = format!("{address}:{PORT}");
    deployment("guest", 0, &["/insight-load", "arrival", "--to", &to], "")
}
