//! `dialed4`, `dialed6` and `dialed`: what a TCP connect asked for, and where its socket leads.
//!
//! They are attached only where another program sits on the connect hooks, and the first two before it. A load balancer there puts a backend's address in
//! the place of a Service's, and nothing of the socket shows what it was.

use core::ffi::c_void;

use aya_ebpf::macros::{btf_tracepoint, cgroup_sock_addr, map};
use aya_ebpf::maps::{Array, HashMap, LruHashMap};
use aya_ebpf::programs::{BtfTracePointContext, SockAddrContext};
use aya_ebpf::{
    bindings::bpf_sock_addr,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
};
use core::ptr::read_volatile;
use insight_ebpf::abi::{Address, DialedKey};
use insight_ebpf::flow::{DialedMaps, on_syn_sent, state};

use super::maps::add_one;
use super::socket::{KernelSocket, Typed};

/// Connects under way, by socket: from their hook to their SYN, some microseconds. What is left over, because a connect failed in between, is pushed out.
#[map]
static ASKED: LruHashMap<u64, Address> = LruHashMap::with_max_entries(4_096, 0);

/// What flows were dialed by. The agent sets its size.
#[map]
static DIALED: HashMap<DialedKey, Address> = HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// Connects whose flow has other dialed addresses in all of its places.
#[map]
static DIALED_LOST: Array<u64> = Array::with_max_entries(1, 0);

/// Lets the connect go on.
const GO_ON: i32 = 1;

const SOCK_STREAM: u32 = 1;
const IPPROTO_TCP: u32 = 6;

#[cgroup_sock_addr(connect4)]
pub(crate) fn dialed4(context: SockAddrContext) -> i32 {
    // SAFETY: the kernel's context. The verifier takes no load of it that is not whole.
    let address = unsafe { read_volatile(&raw const (*context.sock_addr).user_ip4) };
    note(context.sock_addr, [0, 0, 0xffff_u32.to_be(), address])
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn dialed6(context: SockAddrContext) -> i32 {
    let word = |index: usize| {
        // SAFETY: as in `dialed4`.
        unsafe {
            read_volatile(
                (&raw const (*context.sock_addr).user_ip6)
                    .cast::<u32>()
                    .add(index),
            )
        }
    };
    note(context.sock_addr, [word(0), word(1), word(2), word(3)])
}

#[inline(always)]
fn note(context: *mut bpf_sock_addr, address: [u32; 4]) -> i32 {
    // SAFETY: as in `dialed4`.
    let (kind, protocol, port, socket) = unsafe {
        (
            read_volatile(&raw const (*context).type_),
            read_volatile(&raw const (*context).protocol),
            read_volatile(&raw const (*context).user_port),
            read_volatile(&raw const (*context).__bindgen_anon_1.sk),
        )
    };
    if kind == SOCK_STREAM && protocol == IPPROTO_TCP {
        let asked = Address {
            address,
            // Network order in the lower half.
            port: u16::from_be(port as u16),
            padding: 0,
        };
        let _no_room = ASKED.insert(&(socket as u64), &asked, 0);
    }
    GO_ON
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn dialed(context: BtfTracePointContext) -> i32 {
    let new: i32 = context.arg(2);
    if new != state::SYN_SENT {
        return 0;
    }
    let sk: *mut c_void = context.arg(0);
    if !sk.is_null()
        && let Some(socket) = KernelSocket::<Typed>::tcp(sk)
    {
        on_syn_sent(&Kept, &socket);
    }
    0
}

/// The maps of this file.
struct Kept;

impl DialedMaps for Kept {
    #[inline(always)]
    fn take_asked(&self, socket: u64) -> Option<Address> {
        // SAFETY: copied at once.
        let asked = unsafe { ASKED.get(&socket) }.copied()?;
        let _gone = ASKED.remove(&socket);
        Some(asked)
    }

    #[inline(always)]
    fn noted(&self, key: &DialedKey) -> Option<Address> {
        // SAFETY: copied at once; the agent alone removes entries, of flows that are gone.
        unsafe { DIALED.get(key) }.copied()
    }

    #[inline(always)]
    fn note(&self, key: &DialedKey, address: &Address) {
        if DIALED.insert(key, address, u64::from(BPF_NOEXIST)).is_err() {
            self.lost();
        }
    }

    #[inline(always)]
    fn lost(&self) {
        if let Some(lost) = DIALED_LOST.get_ptr_mut(0) {
            // SAFETY: a value of the map, which is never freed.
            unsafe { add_one(lost, 1) };
        }
    }
}
