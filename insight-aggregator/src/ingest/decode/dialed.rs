//! What a batch says of addresses that stood between the ends of its rows.

use std::net::{IpAddr, SocketAddr};

use insight_proto::v1;

use super::BadBatch;
use super::flows::address;
use crate::identity;
use crate::ingest::limits::MAX_DIALED;
use crate::model::{Counters, Dialed, RowKey, Side};

/// Checks each, against the batch's rows.
pub(super) fn dialed(
    flows: &v1::FlowColumns,
    rows: &[(RowKey, Counters)],
    boot_id: &str,
) -> Result<Vec<(usize, Dialed)>, BadBatch> {
    let all = &flows.dialed;
    if all.len() > MAX_DIALED {
        return Err(BadBatch::too_many("flows.dialed", all.len(), MAX_DIALED));
    }
    // Of a row that was checked.
    let netns = |row: usize| {
        let local = flows.local.get(row).copied().unwrap_or(0);
        let end = flows.endpoints.get(local as usize);
        end.map_or(0, |end| end.netns)
    };
    let scope =
        |row: usize, client, server| identity::scope_of(client, server, boot_id, netns(row));
    let all = all.iter().enumerate();
    all.map(|(index, dialed)| one(index, dialed, rows, scope))
        .collect()
}

fn one(
    index: usize,
    dialed: &v1::Dialed,
    rows: &[(RowKey, Counters)],
    scope: impl Fn(usize, IpAddr, IpAddr) -> u64,
) -> Result<(usize, Dialed), BadBatch> {
    let row = dialed.row as usize;
    let local = match rows.get(row) {
        Some((key, _)) if key.side == Side::Client => key.local_addr,
        Some(_) => {
            let problem = format!("is {row}, a server's row; servers do not dial");
            return Err(BadBatch::at("flows.dialed.row", index, problem));
        }
        None => {
            let problem = format!("is {row}, but there are {} rows", rows.len());
            return Err(BadBatch::at("flows.dialed.row", index, problem));
        }
    };
    let parse = |field, bytes: &[u8]| {
        address(bytes).ok_or_else(|| {
            let problem = format!("is {} bytes long, not 4 or 16", bytes.len());
            BadBatch::at(field, index, problem)
        })
    };
    let port = u16::try_from(dialed.port).map_err(|_| {
        let problem = format!("is {}, above 65535", dialed.port);
        BadBatch::at("flows.dialed.port", index, problem)
    })?;
    let to = SocketAddr::new(parse("flows.dialed.address", &dialed.address)?, port);
    let dialed = match dialed.kind() {
        v1::dialed::Kind::Asked => Dialed::Asked(to),
        v1::dialed::Kind::Translated => {
            let source = match &dialed.source[..] {
                [] => None,
                source => Some(parse("flows.dialed.source", source)?),
            };
            Dialed::Translated {
                to,
                source,
                scope: scope(row, source.unwrap_or(local), to.ip()),
            }
        }
        v1::dialed::Kind::Unspecified => {
            let problem = format!("is {}, neither 1 (asked) nor 2 (translated)", dialed.kind);
            return Err(BadBatch::at("flows.dialed.kind", index, problem));
        }
    };
    Ok((row, dialed))
}
