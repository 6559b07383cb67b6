//! The aggregator: joins what agents report into the dependency graph, keeps it and serves it.
//!
//! A batch walks these rooms in this order: [`ingest`] decodes it, [`identity`] names its ends, [`ledger`] makes it
//! durable in a [`store`], [`graph`] joins rows into edges when somebody asks, [`api`] and [`cli`] answer. [`server`]
//! starts and stops them.

pub mod api;
pub mod cli;
pub mod graph;
pub mod history;
pub mod identity;
pub mod ingest;
pub mod kubernetes;
pub mod ledger;
pub mod model;
pub mod server;
pub mod store;
