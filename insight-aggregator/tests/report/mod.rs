//! What a small agent says: one service, web.service, that 10.0.0.9 calls. For tests of the aggregator inside this crate and of its
//! program.

use std::time::{SystemTime, UNIX_EPOCH};

use insight_proto::{PROTOCOL_VERSION, v1};

/// The first message of the agent of `node` that was started at `epoch`.
pub(crate) fn hello(node: &str, epoch: u64) -> v1::Hello {
    v1::Hello {
        protocol_version: PROTOCOL_VERSION,
        node: node.into(),
        boot_id: "boot".into(),
        epoch,
        agent_version: "1.2.3".into(),
        interval_ms: 1_000,
    }
}

/// A batch of the agent that said `hello`: the last second, in which so many connections to `port` were opened.
pub(crate) fn batch(hello: &v1::Hello, sequence: u64, port: u32, opened: u64) -> v1::Batch {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    v1::Batch {
        node: hello.node.clone(),
        boot_id: hello.boot_id.clone(),
        epoch: hello.epoch,
        sequence,
        from_unix_ms: now - 1_000,
        to_unix_ms: now,
        flows: Some(v1::FlowColumns {
            endpoints: vec![
                v1::Endpoint {
                    address: vec![10, 0, 0, 1],
                    cgroup_id: 7,
                    netns: 1,
                    ..v1::Endpoint::default()
                },
                v1::Endpoint {
                    address: vec![10, 0, 0, 9],
                    ..v1::Endpoint::default()
                },
            ],
            local: vec![0],
            remote: vec![1],
            port: vec![port],
            protocol: vec![6],
            role: vec![2],
            opened: vec![opened],
            closed: vec![0],
            failed_refused: vec![0],
            failed_timed_out: vec![0],
            failed_unreachable: vec![0],
            failed_other: vec![0],
            active: vec![opened],
            bytes_sent: vec![1_000],
            bytes_received: vec![10],
            retransmits: vec![0],
            ..v1::FlowColumns::default()
        }),
        owners: vec![v1::Owner {
            cgroup_id: 7,
            path: "/system.slice/web.service".into(),
            level: "unit".into(),
            unit: "web.service".into(),
            ..v1::Owner::default()
        }],
        metrics: vec![v1::MetricSample {
            cgroup_id: 7,
            cpu_usage_ns: Some(1_500_000_000),
            memory_working_set_bytes: Some(4_096),
            ..v1::MetricSample::default()
        }],
        status: Some(v1::AgentStatus {
            live_readout: true,
            ..v1::AgentStatus::default()
        }),
        stopping: false,
    }
}
