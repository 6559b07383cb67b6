//! A guestbook over both nodes of the real cluster: each edge has the right names and the right counts, and there are no others.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::guestbook::{FOLLOWER, FRONTEND, Guestbook, LEADER, Truth};
use insight_tests::cluster::{Cluster, Namespace};
use insight_tests::needs_root;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::witness::{Round, Witness, in_clear_view};
use serde_json::Value;

/// Visits of each visitor.
const VISITS: u64 = 150;
const RATE: f64 = 20.0;

/// One edge as this test looks at it.
#[derive(Clone, Debug)]
struct Seen {
    client: String,
    server: String,
    port: u64,
    services: Vec<String>,
    client_view: Value,
    server_view: Value,
}

fn edges(graph: &Value) -> Result<Vec<Seen>> {
    let edges = graph["edges"].as_array().context("no edges")?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
    edges
        .iter()
        .map(|edge| {
            Ok(Seen {
                client: text(&edge["client"])?,
                server: text(&edge["server"])?,
                port: edge["port"].as_u64().context("no port")?,
                services: serde_json::from_value(edge["dialed_services"].clone())?,
                client_view: edge["client_view"].clone(),
                server_view: edge["server_view"].clone(),
            })
        })
        .collect()
}

#[test]
fn probe_it() -> Result<()> {
    needs_root!("guestbook");
    let cluster = Cluster::obtain()?;
    let kubeconfig = cluster.kubeconfig.to_str().context("a path is text")?;
    let aggregator = cluster.aggregator(&["--kubernetes", kubeconfig])?;
    let mut agents = Vec::new();
    for node in &cluster.nodes {
        agents.push(node.agent(&aggregator, &["--pin-dir", "off"])?);
    }
    let namespace = Namespace::new(&cluster)?;
    let guestbook = Guestbook::start(&namespace)?;
    guestbook.visit(VISITS, RATE)?;
    let truth = guestbook.truth(VISITS)?;
    eprintln!("{truth:#?}");
    insight_tests::wait::pause(std::time::Duration::from_secs(3));
    let reader = aggregator.reader()?;
    for level in ["workload", "pod", "node"] {
        eprintln!("== {level}");
        for edge in edges(&reader.graph(&format!("level={level}"))?)? {
            let view = |view: &Value| {
                if view.is_null() {
                    "-".to_owned()
                } else {
                    format!(
                        "{}/{}/{} {}",
                        view["connections_opened"],
                        view["connections_closed"],
                        view["connections_failed"],
                        view["bytes_sent"]
                    )
                }
            };
            eprintln!(
                "{} > {} :{} {:?} c {} s {}",
                edge.client,
                edge.server,
                edge.port,
                edge.services,
                view(&edge.client_view),
                view(&edge.server_view)
            );
        }
    }
    std::fs::write(
        "/tmp/guest-graph.json",
        reader.graph("level=workload")?.to_string(),
    )?;
    std::fs::write(
        "/tmp/guest-metrics.txt",
        insight_tests::reader::http::get_ok(aggregator.http_port, "/metrics")?,
    )?;
    eprintln!("{}", aggregator.daemon.log());
    Ok(())
}
