//! A container that is gone before anybody looks still has its name.

use anyhow::{Result, ensure};
use insight_tests::load::client::Plan;
use insight_tests::traffic::{at, finish_client, serve, start_client_in};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

/// Containers, one after the other.
const LIVES: usize = 12;

#[test]
fn a_container_that_is_gone_at_once_is_named() -> Result<()> {
    Pods::exact("a container that is gone at once is named", |pods| {
        // A walk an interval is none that helps.
        let product = Product::watch(&pods.root, "2s")?;
        let _serving = serve(&pods.server, PORT)?;
        let plan = Plan::new(at(pods.server.addresses.v4, PORT), 1, 100, 200);
        let mut names = Vec::new();
        for _ in 0..LIVES {
            let container = pods.client.add_container(&pods.root)?;
            finish_client(start_client_in(&pods.client, &container, &plan)?)?;
            names.push(container.node_id());
        }
        let server = pods.server.container.node_id();
        pods.eventually("every container's edge", || {
            for name in &names {
                let edge = product.reader.edge("container", name, &server, PORT)?;
                let opened = edge.client_view.map(|view| view.opened);
                ensure!(opened == Some(1), "{name}: {edge:?}");
            }
            Ok(())
        })?;
        // The status is of full readings.
        product.settle()?;
        ensure!(
            product.agent.status("/cgroups/unnamed")? == 0,
            "owners without a name"
        );
        ensure!(
            product.agent.status("/cgroups/born")? >= LIVES as u64,
            "births were not seen"
        );
        Ok(())
    })
}
