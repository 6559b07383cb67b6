//! Addresses that stood between the ends of flows, as batches tell them.

use std::collections::HashMap;

use insight_ebpf::abi::{Address, DialedKey, FlowKey};
use insight_proto::v1::Dialed as Record;
use insight_proto::v1::dialed::Kind;

use super::row::{bytes, octets};
use crate::conntrack::Way;

/// What programs asked for, by flow. As many as there are accounts, at most.
#[derive(Debug, Default)]
pub struct Dialed {
    asked: HashMap<FlowKey, Vec<Address>>,
}

impl Dialed {
    /// Takes what the kernel has noted.
    pub fn note(&mut self, noted: &[(DialedKey, Address)]) {
        for (key, address) in noted {
            let known = self.asked.entry(key.flow).or_default();
            if !known.contains(address) {
                known.push(*address);
            }
        }
    }

    /// Forgets flows that are gone.
    pub fn forget(&mut self, flows: &[FlowKey]) {
        for flow in flows {
            self.asked.remove(&FlowKey {
                generation: 0,
                ..*flow
            });
        }
    }

    /// Flows that something is known of.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// What a batch says of the flow.
    pub fn records(&self, flow: &FlowKey) -> impl Iterator<Item = Record> {
        let asked = self.asked.get(flow).into_iter().flatten();
        asked.map(|asked| Record {
            row: 0,
            address: bytes(&asked.address),
            port: asked.port.into(),
            kind: Kind::Asked.into(),
            source: Vec::new(),
        })
    }
}

/// What a batch says of a flow that went this way.
pub fn translated(way: &Way) -> Record {
    Record {
        row: 0,
        address: octets(way.to.ip()),
        port: way.to.port().into(),
        kind: Kind::Translated.into(),
        source: way.source.map(octets).unwrap_or_default(),
    }
}
