//! Two agents that report for one node: the second is refused while the first lives, takes over when it is gone, and nothing is counted
//! twice.

use anyhow::{Context, Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::product::Agent;
use insight_tests::reader::{Counts, http};
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

const PORT: u16 = 7001;

#[test]
fn the_second_waits_and_counts_nothing_twice() -> Result<()> {
    Pods::exact("the second waits and counts nothing twice", |pods| {
        let mut product = Product::watch(&pods.root, "300ms")?;
        let _serving = serve(&pods.server, PORT)?;
        let plan = Plan::new(at(pods.server.addresses.v4, PORT), 50, 100, 200);
        let first = run_client(&pods.client, &plan)?;
        product.expect(pods, PORT, &Counts::finished(&first))?;

        let second = Agent::start_with(&product.aggregator, NODE, &pods.root, "300ms")?;
        let stream = || -> Result<Value> {
            let status: Value = serde_json::from_str(&http::get_ok(second.http_port, "/status")?)?;
            Ok(status["aggregator"].clone())
        };
        eventually(PATIENCE, "the second to be refused", || {
            let error = stream()?["last_error"].clone();
            let text = error.as_str().context("no error yet")?;
            ensure!(
                text.contains("AlreadyExists") && text.contains("--node-name"),
                "{text}"
            );
            Ok(())
        })?;
        let while_both = run_client(&pods.client, &plan)?;
        product.expect(pods, PORT, &Counts::finished(&(first + while_both)))?;

        product.agent.daemon.stop()?;
        eventually(PATIENCE, "the second to be let in", || {
            let stream = stream()?;
            ensure!(
                stream["connected"] == true && stream["last_ack_unix_ms"].is_i64(),
                "{stream}"
            );
            Ok(())
        })?;
        product.agent = second;
        product.settle()?;
        let after = run_client(&pods.client, &plan)?;
        product.expect(pods, PORT, &Counts::finished(&(first + while_both + after)))
    })
}
