//! Insight's own traffic, and health checks over loopback, are on the graph like everything else, are told apart, and can be left out.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use insight_proto::v1;
use insight_tests::load::client::Plan;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::{Edge, Known, edge};
use insight_tests::traffic::{at, finish_client, run_client, serve, serve_in, start_client_in};
use insight_tests::wait::PATIENCE;
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;
const HEALTH: u16 = 7002;

#[test]
fn own_and_loopback_traffic_is_told_apart_and_left_out() -> Result<()> {
    Pods::exact(
        "own and loopback traffic is told apart and left out",
        |pods| {
            let unit = |name: &str| pods.root.make(&format!("system.slice/{name}"));
            let (agent, aggregator) = (
                unit("insight-agent.service")?,
                unit("insight-aggregator.service")?,
            );
            let entering = entering(&aggregator.unified);
            let aggregator = Aggregator::started_by(&words(&entering), &[])?;
            let entering = self::entering(&agent.unified);
            let agent =
                Agent::started_by(&words(&entering), &aggregator, NODE, &pods.root, "300ms")?;
            let product = Product::of(aggregator, agent)?;

            // A pod's prober asks its server on localhost whether it is well; another pod asks it for work.
            let prober = pods.server.add_container(&pods.root)?;
            let _serving = [
                serve(&pods.server, PORT)?,
                serve_in(&pods.server, &pods.server.container, HEALTH, &[])?,
            ];
            let plan = Plan::new("127.0.0.1:7002".parse()?, 5, 20, 30);
            finish_client(start_client_in(&pods.server, &prober, &plan)?)?;
            run_client(
                &pods.client,
                &Plan::new(at(pods.server.addresses.v4, PORT), 3, 100, 200),
            )?;
            // Somebody asks the agent how it is.
            product.agent.metrics()?;

            let of = |name: &str| format!("unit:{NODE}/{name}");
            let (agent, aggregator) = (
                of("insight-agent.service"),
                of("insight-aggregator.service"),
            );
            let (client, server) = (pods.client.node_id(), pods.server.node_id());
            let (report, scrape) = (product.aggregator.grpc_port, product.agent.http_port);
            let work = Expected(&client, &server, PORT, false, false);
            let probe = Expected(&server, &server, HEALTH, true, false);
            let own = [
                Expected(&agent, &aggregator, report, true, true),
                Expected("node:node-a", &agent, scrape, true, true),
            ];
            pods.eventually("every kind of edge", || {
                let graph = product.reader.graph("level=workload")?;
                [&work, &probe, &own[0], &own[1]]
                    .iter()
                    .try_for_each(|expected| expected.is_in(&graph))
            })?;

            for (without, there, gone) in [
                ("own", vec![&work, &probe], vec![&own[0], &own[1]]),
                ("loopback", vec![&work], vec![&probe, &own[0], &own[1]]),
                ("loopback,own", vec![&work], vec![&probe, &own[0], &own[1]]),
            ] {
                for (reader, edges) in every_reader(&product, without)? {
                    let has = |expected: &Expected<'_>| {
                        let Expected(client, server, port, ..) = *expected;
                        edge::find(&edges, client, server, port).is_ok()
                    };
                    ensure!(
                        there.iter().all(|edge| has(edge)) && !gone.iter().any(|edge| has(edge)),
                        "{reader} without {without}: {edges:#?}"
                    );
                }
            }
            let refused = product.reader.get("/v1/graph?without=noise")?;
            ensure!(
                refused.status == 400 && refused.body.contains("loopback, own"),
                "{refused:?}"
            );
            Ok(())
        },
    )
}

/// An edge: client, server, port, whether it is loopback, whether it is Insight's own.
struct Expected<'a>(&'a str, &'a str, u16, bool, bool);

impl Expected<'_> {
    fn is_in(&self, graph: &Value) -> Result<()> {
        let edges = graph["edges"].as_array().context("edges")?;
        let edge = edges
            .iter()
            .find(|edge| {
                edge["client"] == self.0 && edge["server"] == self.1 && edge["port"] == self.2
            })
            .with_context(|| format!("no edge {} → {}:{} in {graph:#}", self.0, self.1, self.2))?;
        ensure!(
            edge["loopback"] == self.3 && edge["own"] == self.4,
            "{edge}"
        );
        Ok(())
    }
}

/// What every reader gets at the level of workloads.
fn every_reader(product: &Product, without: &str) -> Result<[(&'static str, Vec<Edge>); 4]> {
    let reader = &product.reader;
    let query = v1::GraphQuery {
        without: without.split(',').map(str::to_owned).collect(),
        ..v1::GraphQuery::default()
    };
    let told = reader
        .grpc
        .subscribe_to(query.clone(), Known::default())?
        .wait_for(PATIENCE, "its snapshot", |known| {
            ensure!(known.snapshots > 0, "no snapshot yet");
            Ok(known.clone())
        })?;
    Ok([
        (
            "HTTP",
            edge::from_json(&reader.graph(&format!("without={without}"))?)?,
        ),
        (
            "the command",
            edge::from_json(&reader.graph_by_command(&["--without", without])?)?,
        ),
        ("gRPC", edge::from_proto(&reader.grpc.graph(query)?)?),
        ("a subscriber", told.all_edges()?),
    ])
}

/// A starter that enters a cgroup and becomes the program.
fn entering(cgroup: &Path) -> [String; 4] {
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", cgroup.display());
    ["sh".to_owned(), "-c".to_owned(), enter, "sh".to_owned()]
}

fn words(starter: &[String; 4]) -> [&str; 4] {
    starter.each_ref().map(String::as_str)
}
