//! A batch's flows: columns become rows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use insight_proto::v1;

use super::BadBatch;
use super::owners::Owners;
use crate::identity;
use crate::ingest::limits::{MAX_COUNT, MAX_ENDPOINTS, MAX_ROWS};
use crate::model::{BUCKETS, Counters, Entity, Protocol, RowKey, Side, Times};

/// One end of the dictionary.
struct End<'owners> {
    address: IpAddr,
    prefix: u8,
    netns: u64,
    cgroup_id: u64,
    /// None for an end of which only the address is known.
    owner: Option<&'owners Entity>,
}

fn ends<'owners>(
    endpoints: &[v1::Endpoint],
    owners: &'owners Owners,
    overflow: &'owners Entity,
) -> Result<Vec<End<'owners>>, BadBatch> {
    if endpoints.len() > MAX_ENDPOINTS {
        return Err(BadBatch::too_many(
            "flows.endpoints",
            endpoints.len(),
            MAX_ENDPOINTS,
        ));
    }
    let end = |(row, endpoint): (usize, &v1::Endpoint)| {
        let address = address(&endpoint.address).ok_or_else(|| {
            let length = endpoint.address.len();
            let problem = format!("is {length} bytes long, not 4 or 16");
            BadBatch::at("flows.endpoints.address", row, problem)
        })?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = u8::try_from(endpoint.prefix_length)
            .ok()
            .filter(|bits| *bits <= most)
            .ok_or_else(|| {
                let problem = format!("is {}, above {most}", endpoint.prefix_length);
                BadBatch::at("flows.endpoints.prefix_length", row, problem)
            })?;
        Ok(End {
            address,
            prefix,
            netns: endpoint.netns,
            cgroup_id: endpoint.cgroup_id,
            owner: if endpoint.overflow {
                Some(overflow)
            } else {
                owners.get(endpoint.cgroup_id)
            },
        })
    };
    endpoints.iter().enumerate().map(end).collect()
}

pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(IpAddr::from(Ipv6Addr::from(sixteen)).to_canonical())
}

/// Checks every row and names its local end.
pub(super) fn rows(
    flows: &v1::FlowColumns,
    owners: &Owners,
    overflow: &Entity,
    boot_id: &str,
) -> Result<Vec<(RowKey, Counters)>, BadBatch> {
    let count = flows.local.len();
    if count > MAX_ROWS {
        return Err(BadBatch::too_many("flows.local", count, MAX_ROWS));
    }
    check_lengths(flows, count)?;
    let ends = ends(&flows.endpoints, owners, overflow)?;
    let mut rows = Vec::with_capacity(count);
    for row in 0..count {
        let local = end(&ends, "flows.local", row, flows.local[row])?;
        let remote = end(&ends, "flows.remote", row, flows.remote[row])?;
        let owner = local.owner.ok_or_else(|| {
            let problem = format!("is of cgroup {}, which is not in owners", local.cgroup_id);
            BadBatch::at("flows.local", row, problem)
        })?;
        let (port, protocol, side) = triple(flows, row)?;
        let key = RowKey {
            side,
            local: owner.id.clone(),
            local_addr: local.address,
            remote_addr: remote.address,
            remote_prefix: remote.prefix,
            port,
            protocol,
            scope: identity::scope_of(local.address, remote.address, boot_id, local.netns),
            own: flows.own.get(row).copied().unwrap_or(false),
            era: 0,
        };
        rows.push((key, counters(flows, row)?));
    }
    Ok(rows)
}

fn check_lengths(flows: &v1::FlowColumns, count: usize) -> Result<(), BadBatch> {
    let lengths = [
        ("flows.remote", flows.remote.len()),
        ("flows.port", flows.port.len()),
        ("flows.protocol", flows.protocol.len()),
        ("flows.role", flows.role.len()),
        ("flows.opened", flows.opened.len()),
        ("flows.closed", flows.closed.len()),
        ("flows.failed_refused", flows.failed_refused.len()),
        ("flows.failed_timed_out", flows.failed_timed_out.len()),
        ("flows.failed_unreachable", flows.failed_unreachable.len()),
        ("flows.failed_other", flows.failed_other.len()),
        ("flows.active", flows.active.len()),
        ("flows.bytes_sent", flows.bytes_sent.len()),
        ("flows.bytes_received", flows.bytes_received.len()),
        ("flows.retransmits", flows.retransmits.len()),
    ];
    // Later columns: an agent that does not know them leaves them empty.
    for (field, length, each) in [
        ("flows.resets", flows.resets.len(), 1),
        (
            "flows.bytes_retransmitted",
            flows.bytes_retransmitted.len(),
            1,
        ),
        ("flows.syn_retransmits", flows.syn_retransmits.len(), 1),
        ("flows.messages_sent", flows.messages_sent.len(), 1),
        ("flows.messages_received", flows.messages_received.len(), 1),
        ("flows.rtt", flows.rtt.len(), BUCKETS),
        ("flows.connect", flows.connect.len(), BUCKETS),
        ("flows.own", flows.own.len(), 1),
    ] {
        if length != 0 && length != count * each {
            let problem =
                format!("has {length} entries, but flows.local has {count} rows of {each} each");
            return Err(BadBatch::new(field, problem));
        }
    }
    for (field, length) in lengths {
        if length != count {
            return Err(BadBatch::new(
                field,
                format!("has {length} rows, but flows.local has {count}"),
            ));
        }
    }
    Ok(())
}

fn end<'ends>(
    ends: &'ends [End<'ends>],
    field: &'static str,
    row: usize,
    index: u32,
) -> Result<&'ends End<'ends>, BadBatch> {
    ends.get(index as usize).ok_or_else(|| {
        BadBatch::at(
            field,
            row,
            format!("is {index}, but flows.endpoints has {} entries", ends.len()),
        )
    })
}

fn triple(flows: &v1::FlowColumns, row: usize) -> Result<(u16, Protocol, Side), BadBatch> {
    let port = u16::try_from(flows.port[row]).map_err(|_| {
        BadBatch::at(
            "flows.port",
            row,
            format!("is {}, above 65535", flows.port[row]),
        )
    })?;
    let protocol = match v1::Protocol::try_from(flows.protocol[row]) {
        Ok(v1::Protocol::Tcp) => Protocol::Tcp,
        Ok(v1::Protocol::Udp) => Protocol::Udp,
        _ => {
            let problem = format!("is {}, neither 6 (TCP) nor 17 (UDP)", flows.protocol[row]);
            return Err(BadBatch::at("flows.protocol", row, problem));
        }
    };
    let side = match v1::Role::try_from(flows.role[row]) {
        Ok(v1::Role::Client) => Side::Client,
        Ok(v1::Role::Server) => Side::Server,
        Ok(v1::Role::UnknownRemotePort) => Side::PerhapsClient,
        Ok(v1::Role::UnknownLocalPort) => Side::PerhapsServer,
        _ => {
            let problem = format!(
                "is {}, neither 1 (client) nor 2 (server) nor an unknown one (3, 4)",
                flows.role[row]
            );
            return Err(BadBatch::at("flows.role", row, problem));
        }
    };
    Ok((port, protocol, side))
}

fn counters(flows: &v1::FlowColumns, row: usize) -> Result<Counters, BadBatch> {
    let counters = Counters {
        opened: flows.opened[row],
        closed: flows.closed[row],
        failed_refused: flows.failed_refused[row],
        failed_timed_out: flows.failed_timed_out[row],
        failed_unreachable: flows.failed_unreachable[row],
        failed_other: flows.failed_other[row],
        active: flows.active[row],
        bytes_sent: flows.bytes_sent[row],
        bytes_received: flows.bytes_received[row],
        retransmits: flows.retransmits[row],
        resets: later(&flows.resets, row),
        bytes_retransmitted: later(&flows.bytes_retransmitted, row),
        syn_retransmits: later(&flows.syn_retransmits, row),
        messages_sent: later(&flows.messages_sent, row),
        messages_received: later(&flows.messages_received, row),
        rtt: times(&flows.rtt, row),
        connect: times(&flows.connect, row),
    };
    for (field, count) in [
        ("flows.opened", counters.opened),
        ("flows.closed", counters.closed),
        ("flows.failed_refused", counters.failed_refused),
        ("flows.failed_timed_out", counters.failed_timed_out),
        ("flows.failed_unreachable", counters.failed_unreachable),
        ("flows.failed_other", counters.failed_other),
        ("flows.active", counters.active),
        ("flows.bytes_sent", counters.bytes_sent),
        ("flows.bytes_received", counters.bytes_received),
        ("flows.retransmits", counters.retransmits),
        ("flows.resets", counters.resets),
        ("flows.bytes_retransmitted", counters.bytes_retransmitted),
        ("flows.syn_retransmits", counters.syn_retransmits),
        ("flows.messages_sent", counters.messages_sent),
        ("flows.messages_received", counters.messages_received),
    ] {
        if count > MAX_COUNT {
            return Err(BadBatch::at(
                field,
                row,
                format!("is {count}, more than one batch can hold"),
            ));
        }
    }
    Ok(counters)
}

/// Of a column that may be empty.
fn later(column: &[u64], row: usize) -> u64 {
    column.get(row).copied().unwrap_or(0)
}

fn times(column: &[u32], row: usize) -> Times {
    let mut times = Times::default();
    if let Some(counts) = column.get(row * BUCKETS..(row + 1) * BUCKETS) {
        times.0.copy_from_slice(counts);
    }
    times
}
