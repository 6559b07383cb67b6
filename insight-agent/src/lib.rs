//! The agent: counts every flow and container of one Linux node, in the kernel, and reports them to an aggregator.
//!
//! [`args`] become a [`config`]; [`run`] reads the [`kernel`], makes [`flows`] of it and hands them to [`report`]. [`cgroups`] names
//! who owns a flow and reads what containers use, [`status`] holds what the agent knows of itself, [`http`] shows it, [`explain`]
//! answers "why is it called that?".

pub mod args;
pub mod boot;
pub mod cgroups;
pub mod config;
pub mod conntrack;
pub mod explain;
pub mod flows;
pub mod http;
pub mod kernel;
pub mod report;
pub mod run;
pub mod shutdown;
pub mod status;
#[cfg(test)]
mod trying;
