//! A batch's flows: columns become rows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use insight_proto::v1;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::BadBatch;
use super::owners::Owners;
use crate::identity;
use crate::ingest::limits::{MAX_COUNT, MAX_ENDPOINTS, MAX_ROWS};
use crate::model::{Counters, Protocol, RowKey, Side};

/// One end of the dictionary: equal ones have equal numbers, so that rows are compared by numbers.
struct End {
    address: IpAddr,
    netns: u64,
    /// Index of the owner's entity; none for ends that only an address is known of.
    entity: Option<usize>,
    cgroup_id: u64,
    number: u32,
}

fn ends(endpoints: &[v1::Endpoint], owners: &Owners) -> Result<Vec<End>, BadBatch> {
    if endpoints.len() > MAX_ENDPOINTS {
        return Err(BadBatch::too_many(
            "flows.endpoints",
            endpoints.len(),
            MAX_ENDPOINTS,
        ));
    }
    let mut numbers = HashMap::with_capacity(endpoints.len());
    let mut ends = Vec::with_capacity(endpoints.len());
    for (row, endpoint) in endpoints.iter().enumerate() {
        let address = address(&endpoint.address).ok_or_else(|| {
            BadBatch::at(
                "flows.endpoints.address",
                row,
                format!("is {} bytes long, not 4 or 16", endpoint.address.len()),
            )
        })?;
        let entity = owners.index(endpoint.cgroup_id);
        // MAX_ENDPOINTS is far below u32's range.
        let next = numbers.len() as u32;
        let number = *numbers.entry((address, entity)).or_insert(next);
        ends.push(End {
            address,
            netns: endpoint.netns,
            entity,
            cgroup_id: endpoint.cgroup_id,
            number,
        });
    }
    Ok(ends)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(IpAddr::from(Ipv6Addr::from(sixteen)).to_canonical())
}

/// Equal for rows that name the same end of the same flow.
#[derive(PartialEq, Eq, Hash)]
struct Same {
    local: u32,
    remote: u32,
    scope: u64,
    port: u16,
    protocol: Protocol,
    side: Side,
}

/// Checks every row and names its local end.
pub(super) fn rows(
    flows: &v1::FlowColumns,
    owners: &Owners,
    boot_id: &str,
) -> Result<Vec<(RowKey, Counters)>, BadBatch> {
    let count = flows.local.len();
    if count > MAX_ROWS {
        return Err(BadBatch::too_many("flows.local", count, MAX_ROWS));
    }
    check_lengths(flows, count)?;
    let ends = ends(&flows.endpoints, owners)?;
    let mut rows: Vec<(RowKey, Counters)> = Vec::with_capacity(count);
    let mut seen: HashMap<Same, usize, Xxh3DefaultBuilder> =
        HashMap::with_capacity_and_hasher(count, Xxh3DefaultBuilder::new());
    for row in 0..count {
        let local = end(&ends, "flows.local", row, flows.local[row])?;
        let remote = end(&ends, "flows.remote", row, flows.remote[row])?;
        let entity = local.entity.ok_or_else(|| {
            BadBatch::at(
                "flows.local",
                row,
                format!("belongs to cgroup {}, which is not in owners", local.cgroup_id),
            )
        })?;
        let (port, protocol, side) = triple(flows, row)?;
        let scope = identity::scope_of(local.address, remote.address, boot_id, local.netns);
        let same = Same {
            local: local.number,
            remote: remote.number,
            scope,
            port,
            protocol,
            side,
        };
        let counters = counters(flows, row)?;
        match seen.entry(same) {
            Entry::Occupied(known) => {
                rows[*known.get()].1.add_peer(&counters);
            }
            Entry::Vacant(new) => {
                new.insert(rows.len());
                let key = RowKey {
                    side,
                    local: owners.entities[entity].id.clone(),
                    local_addr: local.address,
                    remote_addr: remote.address,
                    port,
                    protocol,
                    scope,
                };
                rows.push((key, counters));
            }
        }
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
    ends: &'ends [End],
    field: &'static str,
    row: usize,
    index: u32,
) -> Result<&'ends End, BadBatch> {
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
        _ => {
            let problem = format!("is {}, neither 1 (client) nor 2 (server)", flows.role[row]);
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
