//! How long a container's threads wait for a CPU is what the scheduler keeps of each.

use anyhow::Result;
use insight_tests::{needs_root, waits};

#[test]
fn waits_equal_the_schedulers_sums() -> Result<()> {
    needs_root!("waits equal the scheduler's sums");
    waits::equal_the_schedulers_sums()
}

#[test]
fn short_lives_are_counted_whole() -> Result<()> {
    needs_root!("short lives are counted whole");
    waits::short_lives_are_counted_whole()
}

#[test]
fn nothing_without_the_flag() -> Result<()> {
    needs_root!("nothing without the flag");
    waits::nothing_without_the_flag()
}
