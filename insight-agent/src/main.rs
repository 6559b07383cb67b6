//! The agent: counts every flow and container of one Linux node, in the kernel, and reports them to an aggregator.

fn main() {}
