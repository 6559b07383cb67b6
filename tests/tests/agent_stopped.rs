//! An agent that is told to stop says so: the time without it is a gap at once, with that reason, and ends when an agent starts again. If
//! the kernel counted on there is no gap then.

use anyhow::{Context, Result, ensure};
use insight_tests::cgroup::CgroupRoot;
use insight_tests::needs_root;
use insight_tests::pins::BpfFs;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::Reader;
use insight_tests::wait::{PATIENCE, eventually};
use insight_tests::world::{NODE, Pods, Product};
use serde_json::Value;

/// The one gap there is, and whether it lasts until now.
fn gap(reader: &Reader) -> Result<(Value, bool)> {
    let graph = reader.graph("level=node")?;
    let gaps = graph["gaps"].as_array().context("no gaps")?;
    ensure!(gaps.len() == 1, "one gap: {gaps:?}");
    ensure!(graph["complete"] == false, "complete with a gap: {graph}");
    Ok((gaps[0].clone(), gaps[0]["to"] == graph["to"]))
}

#[test]
fn a_stop_is_a_gap_with_its_reason() -> Result<()> {
    needs_root!("a stop is a gap with its reason");
    let pods = Pods::new()?;
    let mut product = Product::watch(&pods.root, "300ms")?;
    product.settle()?;
    let graph = product.reader.graph("level=node")?;
    ensure!(graph["complete"] == true, "{graph}");

    product.agent.daemon.stop()?;
    let (gap_then, lasts) = eventually(PATIENCE, "the gap", || gap(&product.reader))?;
    ensure!(
        gap_then["reason"] == "agent_stopped" && gap_then["node"] == NODE && lasts,
        "{gap_then}"
    );

    product.agent.restart()?;
    product.settle()?;
    let (gap_now, lasts) = gap(&product.reader)?;
    ensure!(
        gap_now["reason"] == "agent_stopped" && gap_now["from"] == gap_then["from"] && !lasts,
        "{gap_now}"
    );
    let detail = gap_now["detail"].as_str().context("no detail")?;
    ensure!(detail.contains("started again after"), "{detail}");
    Ok(())
}

#[test]
fn a_stop_leaves_no_gap_where_the_kernel_counted_on() -> Result<()> {
    needs_root!("a stop leaves no gap where the kernel counted on");
    let (root, bpf) = (CgroupRoot::new()?, BpfFs::new()?);
    let aggregator = Aggregator::start()?;
    let reader = aggregator.reader()?;
    let mut agent = Agent::pinned(&aggregator, NODE, &root, &bpf.folder())?;
    agent.settle()?;
    agent.daemon.stop()?;
    let (stopped, lasts) = eventually(PATIENCE, "the gap", || gap(&reader))?;
    ensure!(stopped["reason"] == "agent_stopped" && lasts, "{stopped}");
    agent.restart()?;
    agent.settle()?;
    let graph = reader.graph("level=node")?;
    ensure!(graph["complete"] == true, "{graph}");
    Ok(())
}
