//! What agents report: decoded, checked, made durable, acknowledged.
//!
//! [`service`] speaks gRPC with one agent, [`decode`] checks a batch, [`committer`] makes the batches of all agents durable
//! together, [`agents`] knows who is connected, [`stats`] counts.

pub mod agents;
pub mod committer;
pub mod decode;
pub mod limits;
pub mod service;
pub mod stats;
