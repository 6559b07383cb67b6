//! A kernel socket, read at the offsets of the running kernel.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated::bpf_skc_to_tcp_sock};
use insight_ebpf::abi::{Offsets, SCOPE_ANY_LEVEL, SCOPE_MAX_LEVEL, Settings};
use insight_ebpf::flow::Socket;

/// Set by the agent before loading; constants to the verifier.
#[unsafe(no_mangle)]
pub(super) static OFFSETS: Offsets = Offsets {
    socket_sk: 0,
    sk_type: 0,
    sk_protocol: 0,
    sk_max_ack_backlog: 0,
    sk_err: 0,
    sk_cgroup: 0,
    skc_family: 0,
    skc_state: 0,
    skc_flags: 0,
    skc_net: 0,
    skc_dport: 0,
    skc_rcv_saddr: 0,
    skc_daddr: 0,
    skc_v6_rcv_saddr: 0,
    skc_v6_daddr: 0,
    inet_sport: 0,
    bytes_sent: 0,
    bytes_retrans: 0,
    bytes_received: 0,
    total_retrans: 0,
    srtt_us: 0,
    net_cookie: 0,
    cgroup_kn: 0,
    cgroup_root: 0,
    hierarchy_id: 0,
    cgroup_level: 0,
    cgroup_ancestors: 0,
    ancestors_are_ids: 0,
    kn_id: 0,
};

/// Set by the agent before loading.
#[unsafe(no_mangle)]
static SETTINGS: Settings = Settings {
    scope_cgroup: 0,
    scope_level: 0,
    padding: 0,
};

const AF_INET: u16 = 2;
/// `SOCK_DONE` in `enum sock_flags` (include/net/sock.h): the peer's FIN was received, and counted in `bytes_received`.
const SOCK_DONE: u64 = 1 << 1;

/// An offset of the running kernel. Volatile, so that the compiler leaves it to the loader.
#[inline(always)]
pub(super) fn constant(offset: &u32) -> usize {
    // SAFETY: a reference is valid to read.
    unsafe { read_volatile(offset) as usize }
}

/// Loads a field through a pointer whose type the verifier knows: it checks the offset against the kernel's BTF, and the
/// result may go to a helper.
#[inline(always)]
pub(super) fn field<T>(base: *const c_void, offset: usize) -> T {
    // SAFETY: the verifier refuses the program unless it has proven the pointer; such loads never fault.
    unsafe { read_volatile(base.cast::<u8>().add(offset).cast::<T>()) }
}

/// `load!(pointer, field, type)`: the field at its offset in the running kernel.
macro_rules! load {
    ($base:expr, $field:ident, $type:ty) => {
        $crate::programs::socket::field::<$type>(
            $base.cast_const(),
            $crate::programs::socket::constant(&$crate::programs::socket::OFFSETS.$field),
        )
    };
}
pub(super) use load;

/// A TCP socket of the kernel.
#[derive(Clone, Copy)]
pub(super) struct KernelSocket(*mut c_void);

impl KernelSocket {
    /// `sk` as a TCP socket; `None` if it is something else.
    #[inline(always)]
    pub(super) fn tcp(sk: *mut c_void) -> Option<Self> {
        // SAFETY: the helper takes any socket pointer that the verifier knows.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sk) } as *mut c_void;
        (!tcp.is_null()).then_some(Self(tcp))
    }

    #[inline(always)]
    fn cgroup_pointer(&self) -> *mut c_void {
        load!(self.0, sk_cgroup, *mut c_void)
    }
}

impl Socket for KernelSocket {
    #[inline(always)]
    fn address(&self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    fn cgroup(&self) -> u64 {
        let cgroup = self.cgroup_pointer();
        if cgroup.is_null() {
            return 0;
        }
        let node = load!(cgroup, cgroup_kn, *mut c_void);
        if node.is_null() {
            return 0;
        }
        load!(node, kn_id, u64)
    }

    #[inline(always)]
    fn in_scope(&self) -> bool {
        // SAFETY: reads a static.
        let (root, level) = unsafe {
            (
                read_volatile(&raw const SETTINGS.scope_cgroup),
                read_volatile(&raw const SETTINGS.scope_level),
            )
        };
        if level == 0 {
            return true;
        }
        let cgroup = self.cgroup_pointer();
        if cgroup.is_null() {
            return false;
        }
        let depth = load!(cgroup, cgroup_level, u32);
        if level != SCOPE_ANY_LEVEL {
            return depth >= level && ancestor(cgroup, level) == Some(root);
        }
        for level in 1..=SCOPE_MAX_LEVEL {
            if level > depth {
                break;
            }
            if ancestor(cgroup, level) == Some(root) {
                return true;
            }
        }
        false
    }

    #[inline(always)]
    fn netns(&self) -> u64 {
        let net = load!(self.0, skc_net, *mut c_void);
        if net.is_null() {
            return 0;
        }
        load!(net, net_cookie, u64)
    }

    #[inline(always)]
    fn addresses(&self) -> ([u32; 4], [u32; 4]) {
        if load!(self.0, skc_family, u16) == AF_INET {
            let mapped = |address| [0, 0, 0xffff_u32.to_be(), address];
            return (
                mapped(load!(self.0, skc_rcv_saddr, u32)),
                mapped(load!(self.0, skc_daddr, u32)),
            );
        }
        (
            load!(self.0, skc_v6_rcv_saddr, [u32; 4]),
            load!(self.0, skc_v6_daddr, [u32; 4]),
        )
    }

    #[inline(always)]
    fn local_port(&self) -> u16 {
        u16::from_be(load!(self.0, inet_sport, u16))
    }

    #[inline(always)]
    fn remote_port(&self) -> u16 {
        u16::from_be(load!(self.0, skc_dport, u16))
    }

    #[inline(always)]
    fn state(&self) -> u8 {
        load!(self.0, skc_state, u8)
    }

    #[inline(always)]
    fn backlog(&self) -> u32 {
        load!(self.0, sk_max_ack_backlog, u32)
    }

    #[inline(always)]
    fn error(&self) -> i32 {
        load!(self.0, sk_err, i32)
    }

    /// Sent before retransmitted: a retransmission in between makes the answer too small, which the next reading mends.
    #[inline(always)]
    fn bytes_sent(&self) -> u64 {
        let sent = load!(self.0, bytes_sent, u64);
        sent.wrapping_sub(load!(self.0, bytes_retrans, u64))
    }

    #[inline(always)]
    fn bytes_received(&self) -> u64 {
        let received = load!(self.0, bytes_received, u64);
        received.wrapping_sub(u64::from(load!(self.0, skc_flags, u64) & SOCK_DONE != 0))
    }

    #[inline(always)]
    fn retransmits(&self) -> u64 {
        u64::from(load!(self.0, total_retrans, u32))
    }

    #[inline(always)]
    fn bytes_retransmitted(&self) -> u64 {
        load!(self.0, bytes_retrans, u64)
    }

    #[inline(always)]
    fn rtt_us(&self) -> u32 {
        load!(self.0, srtt_us, u32) >> 3
    }
}

/// Id of a cgroup's ancestor at a level. Plain memory reads: the verifier does not follow arrays at the end of a struct.
#[inline(always)]
fn ancestor(cgroup: *mut c_void, level: u32) -> Option<u64> {
    let entry = constant(&OFFSETS.cgroup_ancestors) + 8 * level as usize;
    let ancestor = probe(cgroup as u64, entry)?;
    if constant(&OFFSETS.ancestors_are_ids) != 0 {
        return Some(ancestor);
    }
    let node = probe(ancestor, constant(&OFFSETS.cgroup_kn))?;
    probe(node, constant(&OFFSETS.kn_id))
}

#[inline(always)]
fn probe(base: u64, offset: usize) -> Option<u64> {
    let address = (base as *const u8).wrapping_add(offset).cast::<u64>();
    // SAFETY: the helper answers an error instead of a fault.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}
