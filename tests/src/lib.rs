//! The harness: pods, namespaces, cgroups and the product, each owned by a guard that cleans up when it is dropped, a panic
//! included.
//!
//! A test lays out its world from the outside in and lets it fall in the opposite order:
//! [`net::Net`] → [`cgroup::CgroupRoot`] → [`pod::Pod`] → [`product::Aggregator`] → [`product::Agent`] → traffic
//! ([`traffic`], which runs the `insight-load` program) → [`reader::Reader`].

pub mod balancer;
pub mod bench;
pub mod bpf;
pub mod cassandra;
pub mod cgroup;
pub mod churn;
pub mod cluster;
pub mod containers;
pub mod datagrams;
pub mod demo;
pub mod fake_agent;
pub mod ftrace;
pub mod ids;
pub mod load;
pub mod moment;
pub mod mount;
pub mod nat;
pub mod net;
pub mod oom;
pub mod outside;
pub mod pins;
pub mod pod;
pub mod process;
pub mod product;
pub mod puppet;
pub mod reader;
pub mod root;
pub mod seccomp;
pub mod traffic;
pub mod vm;
pub mod wait;
pub mod waits;
pub mod witness;
pub mod world;
