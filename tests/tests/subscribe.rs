//! What a subscriber is told adds up to the graph, comes at once, and can be resumed.

use std::time::Duration;

use anyhow::{Result, ensure};
use insight_proto::v1;
use insight_tests::load::client::Plan;
use insight_tests::needs_root;
use insight_tests::reader::{Known, Subscription};
use insight_tests::traffic::{Held, at, run_client, serve};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

/// Between two looks at what was told.
const TURN: Duration = Duration::from_millis(500);

/// Without CPU and memory: a new sample alone is told to nobody, or a quiet graph would be sent again and again.
fn plain(mut node: v1::Node) -> v1::Node {
    node.metrics = None;
    node
}

fn sorted(mut graph: v1::Graph) -> (Vec<v1::Node>, Vec<v1::Edge>) {
    graph.nodes = graph.nodes.into_iter().map(plain).collect();
    graph.nodes.sort_by(|one, other| one.id.cmp(&other.id));
    graph.edges.sort_by(|one, other| one.id.cmp(&other.id));
    (graph.nodes, graph.edges)
}

/// Reads on until what is known is, field by field, what `GetGraph` answers.
fn catch_up(product: &Product, subscription: &mut Subscription, level: &str) -> Result<()> {
    eventually(PATIENCE, "what was told to equal the graph", || {
        let (nodes, edges) = sorted(
            product
                .reader
                .grpc
                .graph(insight_tests::reader::grpc::at_level(level))?,
        );
        ensure!(!edges.is_empty(), "no edges yet");
        subscription.wait_for(TURN, "the graph", |known| {
            ensure!(
                known
                    .nodes
                    .values()
                    .cloned()
                    .map(plain)
                    .eq(nodes.iter().cloned())
                    && known.edges.values().eq(&edges),
                "known: {:#?} {:#?}; the graph: {nodes:#?} {edges:#?}",
                known.nodes,
                known.edges
            );
            Ok(())
        })
    })
}

fn calls(pods: &Pods, port: u16, connections: u64) -> Result<()> {
    let plan = Plan::new(at(pods.server.addresses.v4, port), connections, 100, 5_000);
    run_client(&pods.client, &plan).map(drop)
}

#[test]
fn a_new_edge_does_not_wait_for_the_interval() -> Result<()> {
    needs_root!("a new edge does not wait for the interval");
    let pods = Pods::new()?;
    let product = Product::watch(&pods.root, "30s")?;
    let _serving = serve(&pods.server, PORT)?;
    let mut subscription = product.reader.grpc.subscribe("container")?;
    subscription.wait_for(PATIENCE, "its snapshot", |known| {
        ensure!(known.snapshots == 1 && known.edges.is_empty(), "{known:?}");
        Ok(())
    })?;
    let held = Held::open(&pods.client, at(pods.server.addresses.v4, PORT), 2, 0)?;
    let (client, server) = (
        pods.client.container.node_id(),
        pods.server.container.node_id(),
    );
    // A third of the interval, on a machine that may be slow.
    let soon = Duration::from_secs(10);
    subscription.wait_for_edge(soon, (&client, &server, PORT), |edge| {
        let both = [edge.client_view, edge.server_view];
        ensure!(
            both.iter()
                .all(|view| view.is_some_and(|counts| counts.opened >= 1 && counts.active >= 1)),
            "{edge:?}"
        );
        Ok(())
    })?;
    held.close()?;
    Ok(())
}

#[test]
fn a_snapshot_and_deltas_add_up_to_the_graph() -> Result<()> {
    needs_root!("a snapshot and deltas add up to the graph");
    let pods = Pods::new()?;
    let product = Product::watch(&pods.root, "200ms")?;
    let _serving = [PORT, PORT + 1, PORT + 2]
        .map(|port| serve(&pods.server, port))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    calls(&pods, PORT, 3)?;
    let mut told = ["container", "workload", "node"]
        .into_iter()
        .map(|level| Ok((level, product.reader.grpc.subscribe(level)?)))
        .collect::<Result<Vec<_>>>()?;
    for (level, subscription) in &mut told {
        catch_up(&product, subscription, level)?;
    }
    let mut held = Held::open(&pods.client, at(pods.server.addresses.v6, PORT + 1), 2, 0)?;
    for round in 1..=5 {
        held.exchange(1_000, 2_000)?;
        calls(&pods, PORT + 2, round)?;
        for (level, subscription) in &mut told {
            catch_up(&product, subscription, level)?;
        }
    }
    held.close()?;
    product.settle()?;
    for (level, subscription) in &mut told {
        catch_up(&product, subscription, level)?;
        let known = &subscription.known;
        ensure!(
            known.snapshots == 1 && known.deltas >= 3 && known.losses == 0,
            "{level}: {} snapshots, {} deltas, {} losses",
            known.snapshots,
            known.deltas,
            known.losses
        );
    }
    Ok(())
}

#[test]
fn a_token_resumes_where_the_reader_left() -> Result<()> {
    needs_root!("a token resumes where the reader left");
    let pods = Pods::new()?;
    let product = Product::watch(&pods.root, "200ms")?;
    let _serving = [serve(&pods.server, PORT)?, serve(&pods.server, PORT + 1)?];
    calls(&pods, PORT, 3)?;
    let grpc = &product.reader.grpc;
    let mut subscription = grpc.subscribe("container")?;
    catch_up(&product, &mut subscription, "container")?;
    let left = subscription.known.clone();
    ensure!(!left.token.is_empty(), "no token");
    drop(subscription);

    // Meanwhile there is a new edge, and more on the old one.
    calls(&pods, PORT, 2)?;
    calls(&pods, PORT + 1, 4)?;
    let mut resumed = grpc.resume("container", left.clone())?;
    catch_up(&product, &mut resumed, "container")?;
    let both = |known: &Known| {
        ensure!(known.edges.len() == 2, "{:?}", known.edges);
        Ok(())
    };
    resumed.wait_for(PATIENCE, "both edges", both)?;
    catch_up(&product, &mut resumed, "container")?;
    let known = &resumed.known;
    ensure!(
        known.snapshots == left.snapshots && known.deltas > left.deltas && known.losses == 0,
        "{} snapshots, {} deltas, {} losses",
        known.snapshots,
        known.deltas,
        known.losses
    );

    // A token that means nothing: the reader is told, and begins anew.
    let mut stranger = left.clone();
    stranger.token = "nonsense".to_owned();
    let mut fresh = grpc.resume("container", stranger)?;
    fresh.wait_for(PATIENCE, "a fresh snapshot", |known| {
        ensure!(
            known.losses == 1 && known.snapshots == left.snapshots + 1,
            "{} losses, {} snapshots",
            known.losses,
            known.snapshots
        );
        both(known)
    })?;
    catch_up(&product, &mut fresh, "container")
}
