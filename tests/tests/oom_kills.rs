//! Processes killed for want of memory are counted, once, whoever tells of them.

use anyhow::Result;
use insight_tests::{needs_root, oom};

#[test]
fn counted_once_also_when_the_cgroup_is_gone() -> Result<()> {
    needs_root!("kills are counted once");
    oom::counted_once_also_when_the_cgroup_is_gone()
}

#[test]
fn counted_where_no_file_tells() -> Result<()> {
    needs_root!("kills where no file tells");
    oom::counted_where_no_file_tells()
}
