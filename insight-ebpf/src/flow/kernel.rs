//! What the logic needs of the kernel.

use super::Update;
use crate::abi::{FlowKey, PROTOCOL_TCP, ROLE_CLIENT};

/// One TCP socket at this moment. Every call reads the kernel's memory, so ask only for what is needed.
pub trait Socket {
    /// Its address in kernel memory.
    fn address(&self) -> u64;
    /// Its owner's cgroup id.
    fn cgroup(&self) -> u64;
    /// Whether that cgroup lies below the one that is counted.
    fn in_scope(&self) -> bool;
    /// Cookie of its network namespace.
    fn netns(&self) -> u64;
    /// Local and remote address, network order, IPv4 as `::ffff:a.b.c.d`.
    fn addresses(&self) -> ([u32; 4], [u32; 4]);
    /// Local port, host order.
    fn local_port(&self) -> u16;
    /// Remote port, host order.
    fn remote_port(&self) -> u16;
    /// TCP state, see [`super::state`].
    fn state(&self) -> u8;
    /// Room in the accept queue, inherited from the listener: above 0 only for accepted sockets.
    fn backlog(&self) -> u32;
    /// Whether a program has it (`sk_socket`). An accepted socket belongs to nobody before its handshake has ended.
    fn is_held(&self) -> bool;
    /// Pending error (`sk_err`), a positive errno.
    fn error(&self) -> i32;
    /// Payload bytes sent, without retransmissions.
    fn bytes_sent(&self) -> u64;
    /// Payload bytes received.
    fn bytes_received(&self) -> u64;
    /// Segments sent again.
    fn retransmits(&self) -> u64;
    /// Payload bytes sent again.
    fn bytes_retransmitted(&self) -> u64;
    /// Smoothed round-trip time, microseconds; 0 when there is none.
    fn rtt_us(&self) -> u32;

    /// The flow it belongs to if it has this role.
    #[inline(always)]
    fn key(&self, role: u8) -> FlowKey {
        let (local, remote) = self.addresses();
        FlowKey {
            cgroup: self.cgroup(),
            netns: self.netns(),
            local,
            remote,
            port: if role == ROLE_CLIENT {
                self.remote_port()
            } else {
                self.local_port()
            },
            role,
            protocol: PROTOCOL_TCP,
            prefix: 0,
            generation: 0,
            padding: 0,
        }
    }
}

/// What is found at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<E> {
    /// Nothing.
    Missing,
    /// An entry that takes no more.
    Retired,
    /// An entry that counts.
    Live(E),
}

/// The maps that the programs write.
pub trait Maps {
    /// An entry of the flow map.
    type Entry: Copy;
    /// Looks a flow up.
    fn find(&self, key: &FlowKey) -> Found<Self::Entry>;
    /// Makes an empty flow; false if it is there already or there is no room.
    fn insert(&self, key: &FlowKey) -> bool;
    /// Adds to a flow.
    fn add(&self, entry: Self::Entry, more: &Update);
    /// Whether a flow may have a second entry.
    fn has_spares(&self) -> bool;
    /// A second entry is about to be made.
    fn count_spare(&self);
    /// Counts an event that found no room.
    fn count_overflow(&self);
    /// Whether clients outside of the cluster are counted by prefix.
    fn widens(&self) -> bool;
    /// Whether this address is outside.
    fn is_outside(&self, address: &[u32; 4]) -> bool;
    /// Bits that are kept of such an address.
    fn prefix(&self, is_v4: bool) -> u8;
    /// Tells the agent that a flow is new.
    fn announce(&self, key: &FlowKey);
    /// Whether the agent is taking the baseline.
    fn taking_baseline(&self) -> bool;
    /// Marks a socket unless it has a mark; answers the mark that it had, or 0.
    fn mark(&self, socket: u64, mark: u8) -> u8;
    /// Marks a socket whatever mark it has.
    fn remark(&self, socket: u64, mark: u8);
}
