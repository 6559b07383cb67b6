//! The fallback table, as far as programs go: what each hooks, since which kernel, what is lost without it and what is done instead.
//! [`fields`](super::fields) has its other part, forms of data.

use serde::Serialize;

use super::{Release, capabilities};

/// What one program can do here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Its name, also that of its source file.
    pub name: &'static str,
    /// Where it hooks the kernel.
    pub hook: &'static str,
    /// First Linux version that has everything it needs.
    pub since: Release,
    /// Without it nothing can be counted.
    pub required: bool,
    /// Whether it runs.
    pub attached: bool,
    /// Why it does not run.
    pub reason: Option<String>,
    /// What is lost when it does not run.
    pub lost: &'static str,
    /// What is done instead.
    pub instead: &'static str,
}

/// Counts connections where the programs of `life`'s kind may be preempted; elsewhere there is no such row.
pub(super) const STEADY: Probe = Probe {
    name: "steady",
    hook: "tracepoint/sock/inet_sock_set_state",
    since: Release(7, 0),
    required: false,
    attached: false,
    reason: None,
    lost: "connections that open or close on a CPU while processes wait in the middle of 'life' and of 'missed' there: on a busy machine some in 10,000",
    instead: "'life' counts alone",
};

/// Counts connections.
pub(super) const LIFE: Probe = Probe {
    name: "life",
    hook: "tp_btf/inet_sock_set_state",
    since: Release(5, 10),
    required: true,
    attached: false,
    reason: None,
    lost: "everything: no flow can be counted",
    instead: "nothing: the agent does not start",
};

/// Counts the connections that `life` misses.
pub(super) const MISSED: Probe = Probe {
    name: "missed",
    hook: "tp_btf/inet_sock_set_state",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "a connection that opens or closes in a softirq which interrupts 'life' on its CPU: a few in a million",
    instead: "nothing",
};

/// Sees whom datagrams are for, and whom they are from.
pub(super) const UDP: Probe = Probe {
    name: "udp",
    hook: "cgroup/sendmsg4, sendmsg6, recvmsg4, recvmsg6",
    // Links to cgroups; the hooks themselves are older.
    since: Release(5, 7),
    required: false,
    attached: false,
    reason: None,
    lost: "UDP between sockets that are not connected, as servers' are",
    instead: "TCP is counted; UDP of connected sockets is, by 'udp_release' or 'udp_bytes'",
};

/// Sees connected sockets of UDP when they are closed.
pub(super) const UDP_RELEASE: Probe = Probe {
    name: "udp_release",
    hook: "cgroup/sock_release",
    since: Release(5, 9),
    required: false,
    attached: false,
    reason: None,
    lost: "with --udp edges: connected sockets that are closed before 'readout' meets them, which lookups of names often are",
    instead: "'udp' sees them where their programs ask for the sender's address, and at the other end",
};

/// Counts datagrams and bytes.
pub(super) const UDP_LENGTHS: Probe = Probe {
    name: "udp_bytes",
    hook: "tp_btf/sock_send_length, sock_recv_length",
    since: Release(6, 3),
    required: false,
    attached: false,
    reason: None,
    lost: "with --udp bytes: all of UDP",
    instead: "nothing: use --udp edges",
};

/// Sees cgroups as they are made.
pub(super) const BIRTHS: Probe = Probe {
    name: "births",
    hook: "tp_btf/cgroup_mkdir",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "the name of a container that is gone before its first flow is read, some 50 ms",
    instead: "others are found by walking the tree",
};

/// Takes entries of idle flows out of use.
pub(super) const RETIRE: Probe = Probe {
    name: "retire",
    hook: "iter/bpf_map_elem",
    since: Release(5, 9),
    required: false,
    attached: false,
    reason: None,
    lost: "room in the flow map: entries of idle flows are never removed, and once it is full new flows are counted together",
    instead: "a larger --max-flows, or a restart with --pin-dir off",
};

/// Notes what programs asked for where a socket-level load balancer leads them somewhere else; where there is none there is no such row.
pub(super) const DIALED: Probe = Probe {
    name: "dialed",
    hook: "cgroup/connect4, cgroup/connect6",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "the Service's address that a program dialed where a load balancer puts a backend's in its place at the socket",
    instead: "the edge to the backend has no dialed address",
};

/// Reads open connections.
pub(super) const READOUT: Probe = Probe {
    name: "readout",
    hook: "iter/task_file",
    // bpf_sock_from_file.
    since: Release(5, 11),
    required: false,
    attached: false,
    reason: None,
    lost: "the bytes of open connections, while they are open",
    instead: "they arrive when it closes, those from before the agent's start included; the graph says so (no_live_readout)",
};

/// Counts what is killed for want of memory.
pub(super) const VICTIMS: Probe = Probe {
    name: "victims",
    hook: "tp_btf/mark_victim",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "OOM kills in cgroups without a memory controller of their own name, and those after the last reading of a cgroup that is gone",
    instead: "memory.events of cgroup v2 and memory.oom_control of v1, where they are",
};

/// Reads how long threads have waited for a CPU; with `--sched` only.
pub(super) const WAITS: Probe = Probe {
    name: "waits",
    hook: "iter/task",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "how long threads wait for a CPU, while they live, and of those that are older than the agent altogether (--sched)",
    instead: "it is counted when they end",
};

/// Counts how long threads waited that have ended; with `--sched` only.
pub(super) const ENDS: Probe = Probe {
    name: "ends",
    hook: "tp_btf/sched_process_free",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "how long threads wait for a CPU (--sched)",
    instead: "nothing",
};

/// Asks where NAT leads a flow. No program of the kernel's, but an operator asks the same of it.
const CONNTRACK: Probe = Probe {
    name: "conntrack",
    hook: "netlink/ctnetlink",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "which backend a Service's address led to, where NAT (kube-proxy) translates it: the client calls the Service's address, the backends are called by the client",
    instead: "nothing",
};

/// The same in the network namespaces of pods.
const CONNTRACK_PODS: Probe = Probe {
    name: "conntrack-pods",
    hook: "netlink/ctnetlink, setns",
    since: Release(5, 10),
    required: false,
    attached: false,
    reason: None,
    lost: "where a flow leads that is translated in its pod's own network namespace, as for some sidecars",
    instead: "the agent's own network namespace is asked: in the host's, all that kube-proxy translates is known",
};

impl Probe {
    /// Whether connection tracking may be asked.
    pub(crate) fn conntrack(error: Option<&anyhow::Error>) -> Self {
        Self {
            attached: error.is_none(),
            reason: error.map(|error| format!("{error:#}")),
            ..CONNTRACK
        }
    }

    /// Whether it may be in other network namespaces.
    pub(crate) fn conntrack_pods(reason: Option<&str>) -> Self {
        Self {
            attached: reason.is_none(),
            reason: reason.map(str::to_owned),
            ..CONNTRACK_PODS
        }
    }

    /// This probe, and what became of it.
    #[must_use]
    pub(super) fn came_to(self, attached: anyhow::Result<()>) -> Self {
        match attached {
            Ok(()) => self.runs(),
            Err(error) => self.fails(&error),
        }
    }

    /// This probe, running.
    #[must_use]
    pub(super) fn runs(self) -> Self {
        Self {
            attached: true,
            ..self
        }
    }

    /// This probe, with the reason why it does not run.
    #[must_use]
    pub(super) fn fails(self, error: &anyhow::Error) -> Self {
        let needed = if self.hook.starts_with("cgroup/") {
            capabilities::CGROUP_PROGRAMS
        } else {
            capabilities::PROGRAMS
        };
        Self {
            reason: Some(explain(
                &format!("{error:#}"),
                &capabilities::missing(needed),
            )),
            ..self
        }
    }
}

/// Adds to the kernel's terse refusals what they mean.
pub(super) fn explain(error: &str, missing: &[&str]) -> String {
    let is_refused = ["Operation not permitted", "EPERM", "prohibited for !root"]
        .iter()
        .any(|words| error.contains(words));
    if is_refused && !missing.is_empty() {
        return format!("missing {}: {error}", missing.join(" and "));
    }
    let hint = if is_refused {
        "; something else than capabilities forbids it, for example a seccomp profile or kernel lockdown"
    } else if error.contains("func unknown#162") {
        "; the helper bpf_sock_from_file came with Linux 5.11"
    } else {
        ""
    };
    format!("{error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_is_missing() {
        let error = "load: Operation not permitted (os error 1)";
        assert_eq!(
            explain(error, &["CAP_BPF", "CAP_PERFMON"]),
            format!("missing CAP_BPF and CAP_PERFMON: {error}")
        );
        assert!(explain(error, &[]).contains("seccomp"));
        assert!(!LIFE.fails(&anyhow::anyhow!(error)).attached);
        assert!(READOUT.runs().attached);
    }
}
