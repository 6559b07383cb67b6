//! UDP: conversations, and who began them.
//!
//! A conversation is two addresses with their ports, for as long as nobody is silent for longer than [`WINDOW_NS`]. Who sent first is its client.
//! Where that cannot be known, because the socket is older than the counting, the role is unknown, and the lower port stands in the flow's key:
//! both ends choose the same one, and it says nothing of roles.

use super::{Found, Maps, Update, place};
use crate::abi::{
    Conversation, FlowKey, PROTOCOL_UDP, ROLE_CLIENT, ROLE_SERVER, ROLE_UNKNOWN_LOCAL,
    ROLE_UNKNOWN_REMOTE, Talk, WINDOW_NS,
};

/// So much of the window may pass before a message is noted as the last one: not every message writes.
const COARSE_NS: u64 = 1_000_000_000;

/// An address, network order, IPv4 as `::ffff:a.b.c.d`.
pub(super) type Address = [u32; 4];

const NOWHERE: Address = [0; 4];
const MAPPED: u32 = 0xffff_u32.to_be();

/// One UDP socket at this moment. Every call reads the kernel's memory, so ask only for what is needed.
pub trait UdpSocket {
    /// Its address in kernel memory.
    fn address(&self) -> u64;
    /// Its owner's cgroup id.
    fn cgroup(&self) -> u64;
    /// Whether that cgroup lies below the one that is counted.
    fn in_scope(&self) -> bool;
    /// Cookie of its network namespace.
    fn netns(&self) -> u64;
    /// Address and port that it is bound to; zeroes and 0 where it is not.
    fn local(&self) -> (Address, u16);
    /// Whom it is connected to.
    fn connected(&self) -> Option<(Address, u16)>;
    /// Whether its program chose the port, and not the kernel.
    fn chose_port(&self) -> bool;
    /// Whether it has received anything since it is connected.
    fn has_heard(&self) -> bool;
    /// The address of its network namespace that it sends from, if it is bound to none.
    fn source(&self, remote: &Address) -> Address;
}

/// What is remembered of conversations.
pub trait Talks: Maps {
    /// Nanoseconds of CLOCK_MONOTONIC.
    fn now(&self) -> u64;
    /// Shows what is known of a conversation, which may be long ago.
    fn talk<T>(&self, with: &Conversation, look: impl FnOnce(&mut Talk) -> T) -> Option<T>;
    /// Keeps what is known of a conversation.
    fn remember(&self, with: &Conversation, talk: &Talk);
    /// Whether the socket may be older than the counting, and that not so long ago that it does not matter.
    fn may_be_older(&self, socket: u64) -> bool;
    /// Notes that the socket is older than the counting.
    fn is_older(&self, socket: u64);
}

/// What was seen of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A datagram left.
    Sent,
    /// A datagram was received.
    Received,
    /// A connected socket has received something before.
    Heard,
}

/// What is added to a flow. Small: an [`Update`] of it is made in place, for the programs' stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Nothing: only the conversation is of interest.
    Nothing,
    /// A datagram sent, of so many bytes.
    Sent(u64),
    /// A datagram received, of so many bytes.
    Received(u64),
    /// The answer that nobody listens there.
    Refused,
}

impl Count {
    #[inline(always)]
    fn update(self, opened: u64) -> Update {
        let none = Update {
            opened,
            ..Update::default()
        };
        match self {
            Self::Nothing => none,
            Self::Sent(bytes) => Update {
                messages_sent: 1,
                bytes_sent: bytes,
                ..none
            },
            Self::Received(bytes) => Update {
                messages_received: 1,
                bytes_received: bytes,
                ..none
            },
            Self::Refused => Update {
                failed_refused: 1,
                ..none
            },
        }
    }
}

/// Takes a datagram, and what it adds to its flow.
#[inline(always)]
pub fn on_message<M: Talks, S: UdpSocket>(
    maps: &M,
    socket: &S,
    (address, port): (Address, u16),
    event: Event,
    count: Count,
) {
    let conversation = between(socket, address, port);
    let now = maps.now();
    if !follow(maps, &conversation, now, count) {
        begin(maps, socket, conversation, (event, now), count);
    }
}

/// Takes the answer that nobody listens there.
#[inline(always)]
pub fn on_refused<M: Talks, S: UdpSocket>(maps: &M, socket: &S, (address, port): (Address, u16)) {
    let conversation = between(socket, address, port);
    follow(maps, &conversation, maps.now(), Count::Refused);
}

/// Takes a socket that is open, or is closed just now, where connected ones show nothing of their datagrams.
#[inline(always)]
pub fn on_socket<M: Talks, S: UdpSocket>(maps: &M, socket: &S) {
    if let Some((address, port)) = socket.connected()
        && socket.has_heard()
    {
        on_message(maps, socket, (address, port), Event::Heard, Count::Nothing);
    }
}

#[inline(always)]
fn between<S: UdpSocket>(socket: &S, remote: Address, remote_port: u16) -> Conversation {
    let (local, local_port) = socket.local();
    Conversation {
        netns: socket.netns(),
        local,
        remote,
        local_port,
        remote_port,
        padding: 0,
    }
}

/// Adds to a conversation that goes on; false: it does not.
#[inline(always)]
fn follow<M: Talks>(maps: &M, with: &Conversation, now: u64, count: Count) -> bool {
    maps.talk(with, |talk| {
        if !is_on(talk, now) {
            return false;
        }
        if now.saturating_sub(talk.last_ns) >= COARSE_NS {
            talk.last_ns = now;
        }
        if count != Count::Nothing {
            add(maps, &talk.flow, count);
        }
        true
    })
    .unwrap_or(false)
}

#[inline(always)]
fn add<M: Maps>(maps: &M, flow: &FlowKey, count: Count) {
    if let Found::Live(entry) = maps.find(flow) {
        return maps.add(entry, &count.update(0));
    }
    // The agent has removed it, or is about to.
    let mut flow = *flow;
    if let Some(entry) = place::talking(maps, &mut flow) {
        maps.add(entry, &count.update(0));
    }
}

#[inline(always)]
fn is_on(talk: &Talk, now: u64) -> bool {
    now.saturating_sub(talk.last_ns) < WINDOW_NS
}

#[inline(always)]
fn begin<M: Talks, S: UdpSocket>(
    maps: &M,
    socket: &S,
    mut with: Conversation,
    (event, now): (Event, u64),
    count: Count,
) {
    if !socket.in_scope() {
        return;
    }
    let mut talk = Talk {
        flow: FlowKey {
            cgroup: socket.cgroup(),
            netns: with.netns,
            local: if with.local == NOWHERE {
                socket.source(&with.remote)
            } else {
                with.local
            },
            remote: with.remote,
            protocol: PROTOCOL_UDP,
            ..FlowKey::default()
        },
        last_ns: now,
    };
    decide(maps, socket, &mut with, (event, now), &mut talk.flow);
    if let Some(entry) = place::talking(maps, &mut talk.flow) {
        maps.add(entry, &count.update(1));
    }
    talk.flow.generation = 0;
    maps.remember(&with, &talk);
    if event == Event::Sent && is_group(&with.remote) {
        // Whoever answers does so from an address of its own.
        (with.remote, with.remote_port) = (NOWHERE, 0);
        maps.remember(&with, &talk);
    }
}

/// Finds role and port.
#[inline(always)]
fn decide<M: Talks, S: UdpSocket>(
    maps: &M,
    socket: &S,
    with: &mut Conversation,
    (event, now): (Event, u64),
    flow: &mut FlowKey,
) {
    // The kernel chose the port when the socket connected: nobody could have sent to it before.
    if event != Event::Sent && socket.connected().is_some() && !socket.chose_port() {
        return as_client(flow, with);
    }
    // Of two sockets on one port, one for all and one for each client, the first has heard first.
    if with.local != NOWHERE {
        let local = core::mem::replace(&mut with.local, NOWHERE);
        let known = maps.talk(with, |talk| {
            is_on(talk, now).then_some((talk.flow.role, talk.flow.port))
        });
        with.local = local;
        if let Some(Some((role, port))) = known
            && port != 0
        {
            (flow.role, flow.port) = (role, port);
            return;
        }
    }
    // These two have talked before, though this conversation may have been forgotten: what is first now need not be a beginning.
    if event != Event::Received {
        as_server(flow, with);
        if place::known(maps, flow).is_some() {
            return;
        }
    }
    if event != Event::Sent {
        as_client(flow, with);
        if place::known(maps, flow).is_some() {
            return;
        }
    }
    if event == Event::Received {
        let (remote, port) = (with.remote, with.remote_port);
        (with.remote, with.remote_port) = (NOWHERE, 0);
        let asked = maps.talk(with, |talk| is_on(talk, now).then_some(talk.flow.port));
        (with.remote, with.remote_port) = (remote, port);
        if let Some(Some(port)) = asked
            && port != 0
        {
            as_client(flow, with);
            flow.port = port;
            return;
        }
    }
    match event {
        Event::Received => as_server(flow, with),
        _ => as_client(flow, with),
    }
    let is_doubtful = event == Event::Heard || maps.may_be_older(socket.address());
    if is_doubtful && place::known(maps, flow).is_none() {
        unknown(flow, with);
    }
}

#[inline(always)]
fn as_client(flow: &mut FlowKey, with: &Conversation) {
    (flow.role, flow.port) = (ROLE_CLIENT, with.remote_port);
    (flow.remote, flow.prefix) = (with.remote, 0);
}

#[inline(always)]
fn as_server(flow: &mut FlowKey, with: &Conversation) {
    (flow.role, flow.port) = (ROLE_SERVER, with.local_port);
    (flow.remote, flow.prefix) = (with.remote, 0);
}

/// The lower port; of two that are the same that of the lower address. Both ends come to the same.
#[inline(always)]
fn unknown(flow: &mut FlowKey, with: &Conversation) {
    (flow.remote, flow.prefix) = (with.remote, 0);
    let is_local = if with.local_port == with.remote_port {
        is_lower(&flow.local, &flow.remote)
    } else {
        with.local_port < with.remote_port
    };
    (flow.role, flow.port) = if is_local {
        (ROLE_UNKNOWN_LOCAL, with.local_port)
    } else {
        (ROLE_UNKNOWN_REMOTE, with.remote_port)
    };
}

#[inline(always)]
fn is_lower(one: &Address, other: &Address) -> bool {
    for index in 0..4 {
        let (one, other) = (u32::from_be(one[index]), u32::from_be(other[index]));
        if one != other {
            return one < other;
        }
    }
    false
}

/// Multicast, or broadcast on the link.
#[inline(always)]
fn is_group(address: &Address) -> bool {
    let first = u32::from_be(address[0]);
    let last = u32::from_be(address[3]);
    if address[0] == 0 && address[1] == 0 && address[2] == MAPPED {
        return last >> 28 == 0xe || last == u32::MAX;
    }
    first >> 24 == 0xff
}
