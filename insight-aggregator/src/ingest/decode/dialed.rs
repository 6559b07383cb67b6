//! What a batch says of addresses that stood between the ends of its rows.

use std::net::SocketAddr;

use insight_proto::v1;

use super::BadBatch;
use super::flows::address;
use crate::ingest::limits::MAX_DIALED;
use crate::model::{Counters, Dialed, RowKey, Side};

/// Checks each, against the batch's rows.
pub(super) fn dialed(
    all: &[v1::Dialed],
    rows: &[(RowKey, Counters)],
) -> Result<Vec<(usize, Dialed)>, BadBatch> {
    if all.len() > MAX_DIALED {
        return Err(BadBatch::too_many("flows.dialed", all.len(), MAX_DIALED));
    }
    let all = all.iter().enumerate();
    all.map(|(index, dialed)| one(index, dialed, rows))
        .collect()
}

fn one(
    index: usize,
    dialed: &v1::Dialed,
    rows: &[(RowKey, Counters)],
) -> Result<(usize, Dialed), BadBatch> {
    let row = dialed.row as usize;
    match rows.get(row) {
        Some((key, _)) if key.side == Side::Client => {}
        Some(_) => {
            let problem = format!("is {row}, a server's row; servers do not dial");
            return Err(BadBatch::at("flows.dialed.row", index, problem));
        }
        None => {
            let problem = format!("is {row}, but there are {} rows", rows.len());
            return Err(BadBatch::at("flows.dialed.row", index, problem));
        }
    }
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
        v1::dialed::Kind::Translated => Dialed::Translated {
            to,
            source: match &dialed.source[..] {
                [] => None,
                source => Some(parse("flows.dialed.source", source)?),
            },
        },
        v1::dialed::Kind::Unspecified => {
            let problem = format!("is {}, neither 1 (asked) nor 2 (translated)", dialed.kind);
            return Err(BadBatch::at("flows.dialed.kind", index, problem));
        }
    };
    Ok((row, dialed))
}
