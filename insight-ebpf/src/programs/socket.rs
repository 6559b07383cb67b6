//! A kernel socket, read at the offsets of the running kernel.

use core::ffi::c_void;
use core::marker::PhantomData;
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
    sk_socket: 0,
    sk_cgroup: 0,
    sk_cgroup_is_word: 0,
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
    net_is_numbered: 0,
    cgroup_kn: 0,
    cgroup_root: 0,
    hierarchy_id: 0,
    cgroup_level: 0,
    cgroup_ancestors: 0,
    ancestors_are_ids: 0,
    kn_id: 0,
    skc_num: 0,
    skc_incoming_cpu: 0,
    sk_userlocks: 0,
    sk_userlocks_shift: 0,
    net_devices: 0,
    dev_list: 0,
    ip_ptr: 0,
    ip6_ptr: 0,
    ifa_list: 0,
    ifa_next: 0,
    ifa_local: 0,
    ifa_mask: 0,
    addr_list: 0,
    if_list: 0,
    if_addr: 0,
    prefix_len: 0,
};

/// Set by the agent before loading.
#[unsafe(no_mangle)]
pub(super) static SETTINGS: Settings = Settings {
    scope_cgroup: 0,
    scope_level: 0,
    steady_runs: 0,
    cpus: 0,
    prefix_v4: 0,
    prefix_v6: 0,
    udp: 0,
    loaded_ns: 0,
};

pub(super) const AF_INET: u16 = 2;
/// `SOCK_DONE` in `enum sock_flags` (include/net/sock.h): the peer's FIN was received, and counted in `bytes_received`.
const SOCK_DONE: u64 = 1 << 1;

/// An offset of the running kernel. Volatile, so that the compiler leaves it to the loader.
#[inline(always)]
pub(super) fn constant(offset: &u32) -> usize {
    // SAFETY: a reference is valid to read.
    unsafe { read_volatile(offset) as usize }
}

/// How the kernel's memory is read.
pub(super) trait Reading: Copy {
    /// The field at an offset.
    fn field<T: Copy>(base: *const c_void, offset: usize) -> T;
}

/// Through pointers whose type the verifier knows: it checks the offset against the kernel's BTF, and the result may go to a helper.
#[derive(Clone, Copy)]
pub(super) struct Typed;

impl Reading for Typed {
    #[inline(always)]
    fn field<T: Copy>(base: *const c_void, offset: usize) -> T {
        // SAFETY: the verifier refuses the program unless it has proven the pointer; such loads never fault.
        unsafe { read_volatile(base.cast::<u8>().add(offset).cast::<T>()) }
    }
}

/// Through addresses that are only numbers to the verifier, by a helper: slower, and for every kind of program.
#[derive(Clone, Copy)]
pub(super) struct Probed;

impl Reading for Probed {
    #[inline(always)]
    fn field<T: Copy>(base: *const c_void, offset: usize) -> T {
        let address = base.cast::<u8>().wrapping_add(offset).cast::<T>();
        // SAFETY: the helper answers an error instead of a fault; what is read are integers and addresses, for which all zero is a value.
        unsafe { bpf_probe_read_kernel(address).unwrap_or_else(|_| core::mem::zeroed()) }
    }
}

/// `load!(reading, pointer, field, type)`: the field at its offset in the running kernel.
macro_rules! load {
    ($reading:ty, $base:expr, $field:ident, $type:ty) => {
        <$reading as $crate::programs::socket::Reading>::field::<$type>(
            $base.cast_const(),
            $crate::programs::socket::constant(&$crate::programs::socket::OFFSETS.$field),
        )
    };
}
pub(super) use load;

const SOCK_STREAM: u16 = 1;
const IPPROTO_TCP: u16 = 6;

/// Whether a socket is of TCP, and not of MPTCP or something else.
#[inline(always)]
pub(super) fn is_tcp<R: Reading>(sk: *mut c_void) -> bool {
    load!(R, sk, sk_type, u16) == SOCK_STREAM && load!(R, sk, sk_protocol, u16) == IPPROTO_TCP
}

/// A TCP socket of the kernel.
#[derive(Clone, Copy)]
pub(super) struct KernelSocket<R: Reading> {
    tcp: *mut c_void,
    reading: PhantomData<R>,
}

impl KernelSocket<Typed> {
    /// `sk` as a TCP socket; `None` if it is something else.
    #[inline(always)]
    pub(super) fn tcp(sk: *mut c_void) -> Option<Self> {
        // SAFETY: the helper takes any socket pointer that the verifier knows.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sk) } as *mut c_void;
        (!tcp.is_null()).then_some(Self {
            tcp,
            reading: PhantomData,
        })
    }
}

impl KernelSocket<Probed> {
    /// The socket at an address; `None` if it is not TCP's.
    #[inline(always)]
    pub(super) fn at(address: u64) -> Option<Self> {
        let tcp = address as *mut c_void;
        is_tcp::<Probed>(tcp).then_some(Self {
            tcp,
            reading: PhantomData,
        })
    }
}

impl<R: Reading> KernelSocket<R> {
    /// A socket that is not of TCP: what all sockets have may be asked of it.
    #[inline(always)]
    pub(super) fn of_any_kind(sk: *mut c_void) -> Self {
        Self {
            tcp: sk,
            reading: PhantomData,
        }
    }

    #[inline(always)]
    fn owner(&self) -> Option<Cgroup<R>> {
        // The flags are loaded by themselves: the verifier refuses arithmetic on what it knows for a pointer, in code that never runs too.
        if cgroup_is_word() && load!(R, self.tcp, sk_cgroup, u8) & CGROUP_FLAGS != 0 {
            return None;
        }
        let cgroup = load!(R, self.tcp, sk_cgroup, *mut c_void);
        (!cgroup.is_null()).then_some(Cgroup(cgroup, PhantomData))
    }
}

impl<R: Reading> Socket for KernelSocket<R> {
    #[inline(always)]
    fn address(&self) -> u64 {
        self.tcp as u64
    }

    #[inline(always)]
    fn cgroup(&self) -> u64 {
        self.owner().map_or(0, |cgroup| cgroup.id())
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
        let Some(cgroup) = self.owner() else {
            return false;
        };
        let depth = cgroup.level();
        if level != SCOPE_ANY_LEVEL {
            return depth >= level && cgroup.ancestor(level) == root;
        }
        for level in 1..=SCOPE_MAX_LEVEL {
            if level > depth {
                break;
            }
            if cgroup.ancestor(level) == root {
                return true;
            }
        }
        false
    }

    #[inline(always)]
    fn netns(&self) -> u64 {
        let net = load!(R, self.tcp, skc_net, *mut c_void);
        if net.is_null() {
            return 0;
        }
        if constant(&OFFSETS.net_is_numbered) != 0 {
            return u64::from(load!(R, net, net_cookie, u32));
        }
        load!(R, net, net_cookie, u64)
    }

    #[inline(always)]
    fn addresses(&self) -> ([u32; 4], [u32; 4]) {
        if load!(R, self.tcp, skc_family, u16) == AF_INET {
            let mapped = |address| [0, 0, 0xffff_u32.to_be(), address];
            return (
                mapped(load!(R, self.tcp, skc_rcv_saddr, u32)),
                mapped(load!(R, self.tcp, skc_daddr, u32)),
            );
        }
        (
            load!(R, self.tcp, skc_v6_rcv_saddr, [u32; 4]),
            load!(R, self.tcp, skc_v6_daddr, [u32; 4]),
        )
    }

    #[inline(always)]
    fn local_port(&self) -> u16 {
        u16::from_be(load!(R, self.tcp, inet_sport, u16))
    }

    #[inline(always)]
    fn remote_port(&self) -> u16 {
        u16::from_be(load!(R, self.tcp, skc_dport, u16))
    }

    #[inline(always)]
    fn state(&self) -> u8 {
        load!(R, self.tcp, skc_state, u8)
    }

    #[inline(always)]
    fn backlog(&self) -> u32 {
        load!(R, self.tcp, sk_max_ack_backlog, u32)
    }

    #[inline(always)]
    fn is_held(&self) -> bool {
        !load!(R, self.tcp, sk_socket, *mut c_void).is_null()
    }

    #[inline(always)]
    fn error(&self) -> i32 {
        load!(R, self.tcp, sk_err, i32)
    }

    /// Sent before retransmitted: a retransmission in between makes the answer too small, which the next reading mends.
    #[inline(always)]
    fn bytes_sent(&self) -> u64 {
        let sent = load!(R, self.tcp, bytes_sent, u64);
        sent.wrapping_sub(load!(R, self.tcp, bytes_retrans, u64))
    }

    #[inline(always)]
    fn bytes_received(&self) -> u64 {
        let received = load!(R, self.tcp, bytes_received, u64);
        received.wrapping_sub(u64::from(
            load!(R, self.tcp, skc_flags, u64) & SOCK_DONE != 0,
        ))
    }

    #[inline(always)]
    fn retransmits(&self) -> u64 {
        u64::from(load!(R, self.tcp, total_retrans, u32))
    }

    #[inline(always)]
    fn bytes_retransmitted(&self) -> u64 {
        load!(R, self.tcp, bytes_retrans, u64)
    }

    #[inline(always)]
    fn rtt_us(&self) -> u32 {
        load!(R, self.tcp, srtt_us, u32) >> 3
    }
}

/// A cgroup that a socket names: a pointer that the verifier follows, or only a number to it ([`cgroup_is_word`]).
#[derive(Clone, Copy)]
struct Cgroup<R: Reading>(*mut c_void, PhantomData<R>);

impl<R: Reading> Cgroup<R> {
    #[inline(always)]
    fn id(self) -> u64 {
        if cgroup_is_word() {
            return id_of(self.0 as u64).unwrap_or(0);
        }
        let node = load!(R, self.0, cgroup_kn, *mut c_void);
        if node.is_null() {
            return 0;
        }
        load!(R, node, kn_id, u64)
    }

    #[inline(always)]
    fn level(self) -> u32 {
        if cgroup_is_word() {
            return probe(self.0 as u64, constant(&OFFSETS.cgroup_level)).unwrap_or(0);
        }
        load!(R, self.0, cgroup_level, u32)
    }

    /// Id of its ancestor at a level, 0 if it cannot be read. Plain memory reads: the verifier does not follow arrays at the end of a struct.
    ///
    /// No `Option`: the value that `None` does not have is carried through the loop over levels in whatever register, and the verifier
    /// refuses to read one that nobody wrote.
    #[inline(always)]
    fn ancestor(self, level: u32) -> u64 {
        let entry = constant(&OFFSETS.cgroup_ancestors) + 8 * level as usize;
        let ancestor = probe(self.0 as u64, entry).unwrap_or(0);
        if ancestor == 0 || constant(&OFFSETS.ancestors_are_ids) != 0 {
            return ancestor;
        }
        id_of(ancestor).unwrap_or(0)
    }
}

/// Flags of `sock_cgroup_data.val`, include/linux/cgroup-defs.h before Linux 5.15: with one of them it holds no pointer, because
/// the host uses net_cls or net_prio of cgroup v1.
const CGROUP_FLAGS: u8 = 3;

#[inline(always)]
fn cgroup_is_word() -> bool {
    constant(&OFFSETS.sk_cgroup_is_word) != 0
}

#[inline(always)]
fn id_of(cgroup: u64) -> Option<u64> {
    let node = probe(cgroup, constant(&OFFSETS.cgroup_kn))?;
    probe(node, constant(&OFFSETS.kn_id))
}

#[inline(always)]
pub(super) fn probe<T>(base: u64, offset: usize) -> Option<T> {
    let address = (base as *const u8).wrapping_add(offset).cast::<T>();
    // SAFETY: the helper answers an error instead of a fault.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}
