//! What readers talk to: gRPC, HTTP and Prometheus, all over one query type.
//!
//! [`reader`] answers one question, [`feed`] keeps live graphs for subscribers; [`grpc`], [`http`] and [`prometheus`] put
//! both on the wire. [`cluster_insight`] is a second view over HTTP. [`stats`] counts.

pub mod cluster_insight;
pub mod compare;
pub mod edge;
pub mod feed;
pub mod grpc;
pub mod history;
pub mod http;
pub mod prometheus;
pub mod reader;
pub mod stats;
