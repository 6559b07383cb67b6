//! Asks the kernel's connection tracking where a client's connection really goes: with kube-proxy the client's socket holds a Service's address, and NAT puts a
//! backend's in its place.
//!
//! One connection of a flow is asked about at a time, when the flow is new and now and then later, and never more than so many a second. There is no
//! subscription to events: a busy node has 100,000 of them a second.

mod elsewhere;
mod message;
mod plan;
mod socket;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use insight_ebpf::abi::{FlowEntry, FlowKey};

use crate::flows::address;
use crate::kernel::{Dialing, Probe};
use elsewhere::Elsewhere;
use message::Tuple;
use plan::{Plan, Question};
use socket::{Asker, Refused};

/// How many connections this network namespace tracks.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
/// Whether the kernel has connection tracking at all; nobody is to load it because of a question.
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// Where connections of a flow went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The server.
    pub to: SocketAddr,
    /// The client as the server sees it, if that is not the flow's local address.
    pub source: Option<IpAddr>,
}

/// Asks about flows.
pub struct Conntrack {
    is_allowed: bool,
    /// Opened once there is something to ask: the kernel may get its connection tracking later than its agent.
    here: Option<Asker>,
    elsewhere: Elsewhere,
    plan: Plan,
    probes: Vec<Probe>,
    asked: u64,
}

impl Conntrack {
    /// `mount` is the cgroup v2 mount, below which processes are found.
    pub fn new(dialing: Dialing, mount: PathBuf) -> Self {
        if dialing == Dialing::Off {
            return Self::with(false, Elsewhere::none(), Vec::new());
        }
        let (allowed, elsewhere) = (socket::is_allowed(), Elsewhere::new(mount));
        let probes = vec![
            Probe::conntrack(allowed.as_ref().err()),
            Probe::conntrack_pods(elsewhere.reason()),
        ];
        Self::with(allowed.is_ok(), elsewhere, probes)
    }

    fn with(is_allowed: bool, elsewhere: Elsewhere, probes: Vec<Probe>) -> Self {
        Self {
            is_allowed,
            here: None,
            elsewhere,
            plan: Plan::new(Instant::now()),
            probes,
            asked: 0,
        }
    }

    /// What works of it.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// Questions so far.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Flows that are known to be translated.
    pub fn translated(&self) -> usize {
        self.plan.translated()
    }

    /// Forgets flows that are gone.
    pub fn forget(&mut self, flows: &[FlowKey]) {
        self.plan.forget(flows);
    }

    /// Whether there is anybody to ask: to be called before flows are met.
    pub fn is_in_use(&self) -> bool {
        let may = self.is_allowed && Path::new(MAX).exists();
        may && (self.elsewhere.is_allowed() || tracks_here())
    }

    /// Takes an entry of the flow map: it will be asked about if that is due.
    pub fn meet(&mut self, flow: &FlowKey, entry: &FlowEntry) {
        self.plan.meet(flow, entry, Instant::now());
    }

    /// Asks about those that were met and are due. `path` tells a cgroup's path below the mount.
    pub fn ask(&mut self, mut path: impl FnMut(u64) -> String) {
        let (now, tracks_here) = (Instant::now(), tracks_here());
        for question in self.plan.due(now) {
            self.asked += 1;
            let way = self.answer(&question, tracks_here, &mut path);
            self.plan.answered(&question, way, now);
        }
    }

    /// Where connections of a flow went, as far as it is known; none if it is its own remote address.
    pub fn ways(&self, flow: &FlowKey) -> impl Iterator<Item = &Way> {
        self.plan.ways(flow)
    }

    fn answer(
        &mut self,
        question: &Question,
        tracks_here: bool,
        path: &mut impl FnMut(u64) -> String,
    ) -> Option<Way> {
        let tuple = Tuple {
            source: SocketAddr::new(address(&question.flow.local), question.port),
            destination: SocketAddr::new(address(&question.flow.remote), question.flow.port),
        };
        if tracks_here && self.here.is_none() {
            self.here = Asker::open()
                .inspect_err(|error| {
                    tracing::debug!("connection tracking cannot be asked: {error:#}");
                })
                .ok();
        }
        let here = self.here.as_mut().filter(|_| tracks_here);
        let answer = match here.map(|here| here.ask(&tuple)) {
            Some(Ok(reply)) => Some(reply),
            Some(Err(Refused::NotTracked)) | None => {
                self.elsewhere.ask(&path(question.flow.cgroup), &tuple)
            }
            Some(Err(Refused::Failed(error))) => {
                tracing::debug!("connection tracking did not answer: {error:#}");
                None
            }
        };
        answer.and_then(|reply| way(&tuple, &reply))
    }
}

fn tracks_here() -> bool {
    std::fs::read_to_string(COUNT).is_ok_and(|count| count.trim() != "0")
}

/// What replies of the server look like, against what the client's socket expects.
fn way(asked: &Tuple, reply: &Tuple) -> Option<Way> {
    let (to, client) = (reply.source, reply.destination.ip());
    (to != asked.destination).then_some(Way {
        to,
        source: (client != asked.source.ip()).then_some(client),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(source: &str, destination: &str) -> Tuple {
        Tuple {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    #[test]
    fn only_another_server_is_a_way() {
        let asked = tuple("10.0.0.1:4000", "10.96.0.1:80");
        let plain = tuple("10.96.0.1:80", "10.0.0.1:4000");
        let masked = tuple("10.96.0.1:80", "192.0.2.1:9000");
        assert_eq!(way(&asked, &plain), None);
        assert_eq!(way(&asked, &masked), None);
        let to = "10.0.0.2:8080".parse().unwrap();
        let found = |reply| way(&asked, &tuple("10.0.0.2:8080", reply));
        assert_eq!(found("10.0.0.1:4000"), Some(Way { to, source: None }));
        // A port of its own makes no other client.
        assert_eq!(found("10.0.0.1:5000"), Some(Way { to, source: None }));
        let source = Some("192.0.2.1".parse().unwrap());
        assert_eq!(found("192.0.2.1:9000"), Some(Way { to, source }));
    }

    #[test]
    fn off_asks_nothing() {
        let off = Conntrack::new(Dialing::Off, PathBuf::new());
        assert!(!off.is_in_use() && off.probes().is_empty());
    }
}
