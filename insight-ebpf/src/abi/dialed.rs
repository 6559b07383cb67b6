//! What programs asked for where something else, a load balancer on the socket's hook, leads them somewhere else.

use super::FlowKey;

/// An address and a port. The map `ASKED`: what a connect asked for, by its socket, for the moment until the socket knows its addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Network order; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u32; 4],
    /// Host order.
    pub port: u16,
    /// Always 0.
    pub padding: u16,
}

/// The key of the map `DIALED`, which holds an [`Address`] that a flow was dialed by. A flow has places, so that no two CPUs write one
/// value at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialedKey {
    /// A client's.
    pub flow: FlowKey,
    /// Below [`DIALED_PLACES`].
    pub place: u64,
}

/// Addresses that are kept of one flow. Services that share a backend are few; a proxy that everything is led to has no end of them.
pub const DIALED_PLACES: u64 = 4;

const _: () = {
    assert!(size_of::<Address>() == 20 && align_of::<Address>() == 4);
    assert!(size_of::<DialedKey>() == 64 && align_of::<DialedKey>() == 8);
};
