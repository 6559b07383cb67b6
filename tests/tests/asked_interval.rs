//! The aggregator asks its agents for another interval than their own.

use anyhow::{Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::product::Aggregator;
use insight_tests::reader::Counts;
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

#[test]
fn an_agent_reports_as_often_as_it_is_asked() -> Result<()> {
    Pods::exact("an agent reports as often as it is asked", |pods| {
        let aggregator = Aggregator::start_with(&["--agent-interval", "1s"])?;
        // By itself it would report after everybody here has lost patience.
        let product = Product::report_to(aggregator, &pods.root, "10m")?;
        let _serving = serve(&pods.server, PORT)?;
        let plan = Plan::new(at(pods.server.addresses.v4, PORT), 20, 100, 200);
        let first = run_client(&pods.client, &plan)?;
        // The second run is of a known flow, which rings no doorbell: only the interval brings it.
        let all = first + run_client(&pods.client, &plan)?;
        product.expect(pods, PORT, &Counts::finished(&all))?;
        let log = product.agent.daemon.log();
        ensure!(log.contains("asks for another interval"), "{log}");
        Ok(())
    })
}
