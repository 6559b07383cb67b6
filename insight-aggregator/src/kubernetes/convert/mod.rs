//! Objects as the API gives them → what is kept of them.
//!
//! Whatever is not named here is dropped: environment, arguments, annotations, data of ConfigMaps and Secrets.

mod event;
mod meta;
mod network;
mod node;
mod pod;
mod related;
mod route;
mod selector;
#[cfg(test)]
mod tests;
mod workload;

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub use event::event;
pub use meta::{meta, plain};
pub use network::{endpoint_slice, service};
pub use node::node;
pub use pod::pod;
pub use related::{
    horizontal_pod_autoscaler, ingress, network_policy, persistent_volume_claim,
    pod_disruption_budget,
};
pub use route::http_route;
pub use workload::{
    cron_job, daemon_set, deployment, job, replica_set, replication_controller, stateful_set,
};

use super::object::{Text, Texts};
use crate::model::{Protocol, UnixMs};

/// A time of the API.
fn millis(time: &Time) -> UnixMs {
    time.0.as_millisecond()
}

/// Addresses among these texts; the API has host names and `None` in some such places.
fn addresses<'t>(texts: impl IntoIterator<Item = &'t str>) -> Box<[IpAddr]> {
    texts
        .into_iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// A port; 0 for what is none.
fn port(number: Option<i32>) -> u16 {
    number
        .and_then(|number| u16::try_from(number).ok())
        .unwrap_or(0)
}

/// A protocol, if it is one that flows have; SCTP is none.
fn protocol(name: Option<&str>) -> Option<Protocol> {
    match name {
        None | Some("TCP" | "") => Some(Protocol::Tcp),
        Some("UDP") => Some(Protocol::Udp),
        Some(_) => None,
    }
}

/// A count; the API's are signed.
fn count(number: Option<i32>) -> u32 {
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(0)
}

/// A text that may be missing.
fn text(texts: &mut Texts, text: Option<&str>) -> Text {
    texts.intern(text.unwrap_or_default())
}
