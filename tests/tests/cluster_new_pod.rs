//! A new pod's first connection is shown to subscribers by name, soon.

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::{Cluster, new_pod};
use insight_tests::needs_root;

const PODS: usize = 32;
/// The order of magnitude, milliseconds: what goes wrong takes as long as a watch or a stream that is made anew, or for ever.
const LONGEST_MS: f64 = 5_000.0;

#[test]
fn a_new_pods_first_connection_is_shown_by_name() -> Result<()> {
    needs_root!("a new pod's first connection is shown by name");
    let times = new_pod::measure(&Cluster::obtain()?, PODS)?;
    let percentile = |percent| times.percentile(percent).context("no pod was measured");
    let (p50, p99) = (percentile(50)?, percentile(99)?);
    println!(
        "first connection of {} new pods to subscriber: p50 {p50:.1} ms, p99 {p99:.1} ms; {} were shown by address before",
        times.to_names.len(),
        times.nameless_at_first
    );
    ensure!(times.to_names.len() == PODS, "{times:?}");
    ensure!(times.nameless_cgroups.is_empty(), "{times:?}");
    ensure!(p99 < LONGEST_MS, "{times:?}");
    Ok(())
}
