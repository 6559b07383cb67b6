//! A container's CPU and memory are what its cgroup's files say.

use anyhow::Result;
use insight_tests::{containers, needs_root};

#[test]
fn metrics_equal_the_files() -> Result<()> {
    needs_root!("metrics equal the files");
    containers::metrics_equal_the_files()
}
