//! Insight's wire formats, package `insight.v1`: what agents report, and the graph that readers get.
//!
//! The code in `gen/` is made from `proto/insight/v1/*.proto` by `cargo xtask codegen` and committed;
//! `cargo xtask codegen --check` fails when it is out of date.

pub mod json;

/// Messages and services of package `insight.v1`.
#[expect(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unused_qualifications,
    reason = "generated code"
)]
pub mod v1 {
    include!("gen/insight.v1.rs");
}

/// What the aggregator keeps of Kubernetes' objects, package `insight.storage.v1`: no API, and nobody else's.
#[expect(clippy::all, clippy::pedantic, missing_docs, reason = "generated code")]
pub mod storage {
    include!("gen/insight.storage.v1.rs");
}

/// The compiled descriptors, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");

/// Version of the agent protocol that [`v1::Hello::protocol_version`] carries.
pub const PROTOCOL_VERSION: u32 = 1;
