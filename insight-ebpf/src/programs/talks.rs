//! The maps of UDP, and the logic's view of them.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LruHashMap};
use core::ptr::read_volatile;
use insight_ebpf::abi::{Conversation, PHASE_COUNTING, Peer, Talk, WINDOW_NS};
use insight_ebpf::flow::{Maps as _, Talks};

use super::maps::{KernelMaps, phase};
use super::socket::SETTINGS;

/// Conversations; the agent sets how many. One that is forgotten before it is over begins again: who began is then known from its flow.
#[map]
static CONVERSATIONS: LruHashMap<Conversation, Talk> = LruHashMap::with_max_entries(1, 0);

/// Sockets that are older than the counting: asked for in the first minute only.
#[map]
static OLDER: LruHashMap<u64, u8> = LruHashMap::with_max_entries(1, 0);

/// Places for threads, by their number. Two that have the same one are seldom between the two programs at once, and then one of them is not
/// counted.
const PLACES: u32 = 8_192;

/// Whom threads are sending to, or have received from.
#[map]
static PEERS: Array<Peer> = Array::with_max_entries(1, 0);

impl Talks for KernelMaps {
    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: the helper takes nothing and touches no memory.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn talk<T>(&self, with: &Conversation, look: impl FnOnce(&mut Talk) -> T) -> Option<T> {
        let talk = CONVERSATIONS.get_ptr_mut(with)?;
        // SAFETY: a value of the map, whose memory stays until the program returns. Programs that have it at the same time write its
        // time only, or all of it when the conversation begins, and whatever is read are integers.
        Some(look(unsafe { &mut *talk }))
    }

    #[inline(always)]
    fn remember(&self, with: &Conversation, talk: &Talk) {
        let _no_room = CONVERSATIONS.insert(with, talk, 0);
    }

    #[inline(always)]
    fn may_be_older(&self, socket: u64) -> bool {
        // SAFETY: reads a static.
        let loaded = unsafe { read_volatile(&raw const SETTINGS.loaded_ns) };
        if self.now().wrapping_sub(loaded) >= WINDOW_NS {
            return false;
        }
        phase() != PHASE_COUNTING || OLDER.get_ptr(&socket).is_some()
    }

    #[inline(always)]
    fn is_older(&self, socket: u64) {
        if self.taking_baseline() {
            let _no_room = OLDER.insert(&socket, &1, 0);
        }
    }
}

/// Notes whom the running thread is sending to, or has received from.
#[inline(always)]
pub(super) fn put_peer(socket: u64, (address, port): ([u32; 4], u16)) {
    let thread = thread();
    let Some(place) = PEERS.get_ptr_mut(thread % PLACES) else {
        return;
    };
    // SAFETY: a value of the map, which is never freed.
    unsafe {
        *place = Peer {
            socket,
            address,
            thread,
            port,
            padding: 0,
        };
    }
}

/// Takes the note away.
#[inline(always)]
pub(super) fn take_peer(socket: u64) -> Option<([u32; 4], u16)> {
    let thread = thread();
    let place = PEERS.get_ptr_mut(thread % PLACES)?;
    // SAFETY: a value of the map, which is never freed.
    unsafe {
        if (*place).socket != socket || (*place).thread != thread {
            return None;
        }
        (*place).socket = 0;
        Some(((*place).address, (*place).port))
    }
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}
