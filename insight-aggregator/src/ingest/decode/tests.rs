use std::net::IpAddr;

use prost::Message as _;

use super::*;
use crate::identity;
use crate::ingest::limits::{MAX_COUNT, MAX_DIALED, MAX_ROWS};
use crate::model::{Dialed, Kind, Protocol, Side};

/// A service of node n1 that is called by 192.0.2.7 and calls 2001:db8::1.
pub(crate) fn batch() -> v1::Batch {
    let endpoint = |address: &str, cgroup_id| v1::Endpoint {
        address: match address.parse().unwrap() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        },
        cgroup_id,
        netns: cgroup_id,
        ..v1::Endpoint::default()
    };
    v1::Batch {
        node: "n1".into(),
        boot_id: "boot".into(),
        epoch: 9,
        sequence: 1,
        from_unix_ms: 1_000,
        to_unix_ms: 6_000,
        flows: Some(v1::FlowColumns {
            endpoints: vec![
                endpoint("10.0.0.1", 77),
                endpoint("192.0.2.7", 0),
                endpoint("2001:db8::1", 0),
            ],
            local: vec![0, 0],
            remote: vec![1, 2],
            port: vec![80, 443],
            protocol: vec![6, 17],
            role: vec![2, 1],
            opened: vec![1, 2],
            closed: vec![3, 4],
            failed_refused: vec![5, 6],
            failed_timed_out: vec![7, 8],
            failed_unreachable: vec![9, 10],
            failed_other: vec![11, 12],
            active: vec![13, 14],
            bytes_sent: vec![15, 16],
            bytes_received: vec![17, 18],
            retransmits: vec![19, 20],
            resets: vec![21, 22],
            bytes_retransmitted: vec![23, 24],
            syn_retransmits: vec![25, 26],
            rtt: (0..32).collect(),
            connect: Vec::new(),
            messages_sent: vec![27, 28],
            messages_received: vec![29, 30],
            own: vec![false, true],
            dialed: vec![v1::Dialed {
                row: 1,
                address: vec![10, 96, 0, 1],
                port: 53,
                kind: v1::dialed::Kind::Translated.into(),
                source: vec![192, 0, 2, 1],
            }],
        }),
        owners: vec![v1::Owner {
            cgroup_id: 77,
            path: "/system.slice/a.service".into(),
            level: "unit".into(),
            unit: "a.service".into(),
            ..v1::Owner::default()
        }],
        metrics: vec![v1::MetricSample {
            cgroup_id: 77,
            cpu_usage_ns: Some(21),
            memory_limit_bytes: None,
            ..v1::MetricSample::default()
        }],
        status: Some(v1::AgentStatus {
            live_readout: true,
            dropped_updates: 22,
            ..v1::AgentStatus::default()
        }),
        stopping: false,
    }
}

#[test]
fn a_good_batch_is_taken_whole() {
    let report = decode(&batch(), 5_000).unwrap();
    assert_eq!(
        (report.node.as_str(), report.epoch, report.sequence),
        ("n1", 9, 1)
    );
    let expected = Coverage {
        from: 1_000,
        to: 6_000,
        interval_ms: 5_000,
        live_readout: true,
        dropped_updates: 22,
        stopping: false,
    };
    assert_eq!(report.coverage, expected);
    let last = v1::Batch {
        stopping: true,
        ..batch()
    };
    assert!(decode(&last, 5_000).unwrap().coverage.stopping);
    assert_eq!(report.entities.len(), 1);
    assert_eq!(report.entities[0].kind, Kind::Unit);
    let (served, called) = (&report.rows[0], &report.rows[1]);
    assert_eq!(served.0.side, Side::Server);
    assert_eq!(served.0.local, report.entities[0].id);
    assert_eq!(
        served.0.client_addr(),
        "192.0.2.7".parse::<IpAddr>().unwrap()
    );
    assert_eq!(served.0.port, 80);
    assert_eq!((served.0.own, called.0.own), (false, true));
    assert_eq!(
        (called.0.side, called.0.protocol),
        (Side::Client, Protocol::Udp)
    );
    assert_eq!(
        called.0.server_addr(),
        "2001:db8::1".parse::<IpAddr>().unwrap()
    );
    let counts = called.1;
    assert_eq!(
        [
            counts.opened,
            counts.closed,
            counts.failed_refused,
            counts.failed_timed_out,
            counts.failed_unreachable,
            counts.failed_other,
            counts.active,
            counts.bytes_sent,
            counts.bytes_received,
            counts.retransmits,
            counts.resets,
            counts.bytes_retransmitted,
            counts.syn_retransmits,
            counts.messages_sent,
            counts.messages_received,
        ],
        [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
    );
    assert_eq!((counts.rtt.0[0], counts.rtt.0[15]), (16, 31));
    assert_eq!(counts.connect.count(), 0, "an agent that does not tell");
    let translated = Dialed::Translated {
        to: "10.96.0.1:53".parse().unwrap(),
        source: Some("192.0.2.1".parse().unwrap()),
        scope: 0,
    };
    assert_eq!(report.dialed, [(1, translated)]);
    // A proxy in the client's own pod is found in the pod's network only.
    let mut inside = batch();
    let dialed = &mut flows(&mut inside).dialed[0];
    (dialed.address, dialed.source) = (vec![127, 0, 0, 1], Vec::new());
    let inside = decode(&inside, 0).unwrap().dialed;
    let expected = identity::scope("boot", 77);
    assert!(
        matches!(inside[0].1, Dialed::Translated { scope, .. } if scope == expected),
        "{inside:?}"
    );
    assert_eq!(report.metrics[0].0, report.entities[0].id);
    assert_eq!(report.metrics[0].1.cpu_usage_ns, Some(21));
    assert_eq!(report.metrics[0].1.at, 6_000);
}

#[test]
fn ipv4_in_ipv6_is_ipv4_and_loopback_has_a_scope() {
    let mut mapped = batch();
    let flows = mapped.flows.as_mut().unwrap();
    flows.endpoints[1].address = "::ffff:192.0.2.7"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets()
        .to_vec();
    flows.endpoints[2].address = vec![127, 0, 0, 1];
    let report = decode(&mapped, 0).unwrap();
    assert_eq!(
        report.rows[0].0.remote_addr,
        "192.0.2.7".parse::<IpAddr>().unwrap()
    );
    assert_eq!(report.rows[0].0.scope, 0);
    assert_ne!(report.rows[1].0.scope, 0);
}

/// A way to spoil a batch.
type Spoil = fn(&mut v1::Batch);

fn flows(batch: &mut v1::Batch) -> &mut v1::FlowColumns {
    batch.flows.as_mut().unwrap()
}

#[test]
fn every_mistake_says_where() {
    let mistakes: [(&str, Spoil); 39] = [
        ("node is empty", |b| b.node.clear()),
        ("node is 254 bytes", |b| b.node = "n".repeat(254)),
        ("node has a control", |b| b.node = "a\nb".into()),
        ("sequence is 0", |b| b.sequence = 0),
        ("from_unix_ms is -1", |b| b.from_unix_ms = -1),
        ("from_unix_ms is 6001, after", |b| b.from_unix_ms = 6_001),
        ("from_unix_ms is 3650000 days", |b| {
            b.to_unix_ms = 86_400_000 * 3_650_000 + 1_000;
        }),
        ("flows.remote has 1 rows", |b| flows(b).remote.truncate(1)),
        ("flows.port has 3 rows", |b| flows(b).port.push(1)),
        ("flows.protocol has 1", |b| flows(b).protocol.truncate(1)),
        ("flows.role has 1", |b| flows(b).role.truncate(1)),
        ("flows.opened has 0", |b| flows(b).opened.clear()),
        ("flows.closed has 0", |b| flows(b).closed.clear()),
        ("flows.failed_refused has", |b| {
            flows(b).failed_refused.clear();
        }),
        ("flows.failed_timed_out has", |b| {
            flows(b).failed_timed_out.clear();
        }),
        ("flows.failed_unreachable has", |b| {
            flows(b).failed_unreachable.clear();
        }),
        ("flows.failed_other has", |b| flows(b).failed_other.clear()),
        ("flows.active has", |b| flows(b).active.clear()),
        ("flows.bytes_sent has", |b| flows(b).bytes_sent.clear()),
        ("flows.bytes_received has", |b| {
            flows(b).bytes_received.clear();
        }),
        ("flows.retransmits has", |b| flows(b).retransmits.clear()),
        ("flows.resets has 1", |b| flows(b).resets.truncate(1)),
        ("flows.rtt has 31", |b| flows(b).rtt.truncate(31)),
        ("flows.own has 1", |b| flows(b).own.truncate(1)),
        ("flows.remote[1] is 3, but", |b| flows(b).remote[1] = 3),
        ("flows.local[1] is of cgroup 0", |b| flows(b).local[1] = 1),
        ("flows.port[1] is 65536", |b| flows(b).port[1] = 65_536),
        ("flows.protocol[1] is 1,", |b| flows(b).protocol[1] = 1),
        ("flows.role[0] is 0", |b| flows(b).role[0] = 0),
        ("flows.endpoints.address[2] is 5 bytes", |b| {
            flows(b).endpoints[2].address = vec![1; 5];
        }),
        ("flows.bytes_sent[0] is", |b| {
            flows(b).bytes_sent[0] = MAX_COUNT + 1;
        }),
        ("flows.dialed.row[0] is 0, a server's", |b| {
            flows(b).dialed[0].row = 0;
        }),
        ("flows.dialed.row[0] is 2, but there are 2", |b| {
            flows(b).dialed[0].row = 2;
        }),
        ("flows.dialed.address[0] is 0 bytes", |b| {
            flows(b).dialed[0].address.clear();
        }),
        ("flows.dialed.port[0] is 65536", |b| {
            flows(b).dialed[0].port = 65_536;
        }),
        ("flows.dialed.kind[0] is 3", |b| {
            flows(b).dialed[0].kind = 3;
        }),
        ("flows.dialed.source[0] is 5 bytes", |b| {
            flows(b).dialed[0].source = vec![1; 5];
        }),
        ("owners.cgroup_id[1] 77 is in the list twice", |b| {
            b.owners.push(b.owners[0].clone());
        }),
        ("metrics.cgroup_id[0] 78", |b| b.metrics[0].cgroup_id = 78),
    ];
    for (expected, spoil) in mistakes {
        let mut spoilt = batch();
        spoil(&mut spoilt);
        let error = decode(&spoilt, 0).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{expected:?} but {error:?}");
    }
}

#[test]
fn more_than_the_limits_is_refused() {
    let mut rows = batch();
    flows(&mut rows).local = vec![0; MAX_ROWS + 1];
    assert!(
        decode(&rows, 0)
            .unwrap_err()
            .to_string()
            .contains("1000001")
    );
    let mut dialed = batch();
    let one = flows(&mut dialed).dialed[0].clone();
    flows(&mut dialed).dialed = vec![one; MAX_DIALED + 1];
    assert_eq!(decode(&dialed, 0).unwrap_err().field, "flows.dialed");
    let mut words = batch();
    words.owners[0].unit = "x".repeat(256);
    let error = decode(&words, 0).unwrap_err();
    assert_eq!((error.field, error.row), ("owners.unit", Some(0)));
    words = batch();
    words.owners[0].level = "pods".into();
    assert_eq!(decode(&words, 0).unwrap_err().field, "owners.level");
}

#[test]
fn an_empty_batch_is_fine() {
    let mut empty = batch();
    empty.flows = None;
    empty.owners.clear();
    empty.metrics.clear();
    empty.status = None;
    let report = decode(&empty, 0).unwrap();
    assert!(report.rows.is_empty() && !report.coverage.live_readout);
}

/// Xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[test]
fn nothing_panics() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let good = batch().encode_to_vec();
    let (mut parsed, mut accepted) = (0, 0);
    for round in 0..40_000 {
        let bytes = if round % 4 == 0 {
            (0..random.below(200))
                .map(|_| random.next() as u8)
                .collect()
        } else {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(3) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random.next() as u8),
                }
            }
            bytes
        };
        if let Ok(batch) = v1::Batch::decode(bytes.as_slice()) {
            parsed += 1;
            accepted += u32::from(decode(&batch, 5_000).is_ok());
        }
    }
    // Both are needed for the test to mean anything: batches that are read, and of those some that are refused.
    assert!(
        parsed > 1_000 && accepted > 100 && accepted < parsed,
        "{parsed} {accepted}"
    );
}
