//! The map `CONVERSATIONS`: who talks to whom by UDP at the moment, and of which flow that is a part.

use super::FlowKey;

/// A conversation is over when nobody has said anything for so long, nanoseconds: as long as firewalls remember one.
pub const WINDOW_NS: u64 = 60_000_000_000;

/// The two ends of a conversation, as one of them sees it. Addresses in network order, IPv4 as `::ffff:a.b.c.d`; ports in host order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conversation {
    /// Cookie of the network namespace.
    pub netns: u64,
    /// Address that the socket is bound to; zeroes: to none.
    pub local: [u32; 4],
    /// Address of the other end; zeroes, with a remote port of 0: whoever answers what was sent to a group.
    pub remote: [u32; 4],
    /// Port of this end.
    pub local_port: u16,
    /// Port of the other end.
    pub remote_port: u16,
    /// Always 0: the kernel hashes every byte of a key.
    pub padding: u32,
}

/// What is known of a conversation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// The flow that it belongs to: with the role, and with the address that is used.
    pub flow: FlowKey,
    /// When it was last heard of, nanoseconds of CLOCK_MONOTONIC; to a second.
    pub last_ns: u64,
}

/// A place of the map `PEERS`: whom a process is sending to, or has received from, between the two programs that see its address and its
/// length.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The socket; 0: nobody.
    pub socket: u64,
    /// The other end's address.
    pub address: [u32; 4],
    /// Thread id.
    pub thread: u32,
    /// The other end's port.
    pub port: u16,
    /// Always 0.
    pub padding: u16,
}

const _: () = {
    assert!(size_of::<Conversation>() == 48 && align_of::<Conversation>() == 8);
    assert!(core::mem::offset_of!(Conversation, local_port) == 40);
    assert!(size_of::<Talk>() == 64 && core::mem::offset_of!(Talk, last_ns) == 56);
    assert!(size_of::<Peer>() == 32);
};
