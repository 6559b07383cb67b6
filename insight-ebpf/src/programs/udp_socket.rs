//! A UDP socket of the kernel.

use core::ffi::c_void;

use insight_ebpf::flow::{Socket, UdpSocket};

use super::interfaces;
use super::socket::{AF_INET, KernelSocket, OFFSETS, Probed, Reading, constant, load};

const AF_INET6: u16 = 10;
const SOCK_DGRAM: u16 = 2;
const IPPROTO_UDP: u16 = 17;
/// include/net/tcp_states.h: UDP has this one when it is connected.
const ESTABLISHED: u8 = 1;
/// include/net/sock.h
const SOCK_BINDPORT_LOCK: u8 = 8;

type Address = [u32; 4];

/// Whether a socket is of UDP.
#[inline(always)]
pub(super) fn is_udp<R: Reading>(sk: *mut c_void) -> bool {
    if load!(R, sk, sk_protocol, u16) != IPPROTO_UDP || load!(R, sk, sk_type, u16) != SOCK_DGRAM {
        return false;
    }
    let family = load!(R, sk, skc_family, u16);
    family == AF_INET || family == AF_INET6
}

/// A UDP socket.
pub(super) struct KernelUdp<R: Reading> {
    sk: *mut c_void,
    any: KernelSocket<R>,
}

impl<R: Reading> KernelUdp<R> {
    /// The socket at this address, which is one of UDP.
    #[inline(always)]
    pub(super) fn at(sk: *mut c_void) -> Self {
        Self {
            sk,
            any: KernelSocket::of_any_kind(sk),
        }
    }
}

impl<R: Reading> UdpSocket for KernelUdp<R> {
    #[inline(always)]
    fn address(&self) -> u64 {
        self.sk as u64
    }

    #[inline(always)]
    fn cgroup(&self) -> u64 {
        self.any.cgroup()
    }

    #[inline(always)]
    fn in_scope(&self) -> bool {
        self.any.in_scope()
    }

    #[inline(always)]
    fn netns(&self) -> u64 {
        self.any.netns()
    }

    #[inline(always)]
    fn local(&self) -> (Address, u16) {
        let port = load!(R, self.sk, skc_num, u16);
        if load!(R, self.sk, skc_family, u16) == AF_INET {
            let address = load!(R, self.sk, skc_rcv_saddr, u32);
            return (mapped_unless_none(address), port);
        }
        let address = load!(R, self.sk, skc_v6_rcv_saddr, [u32; 4]);
        if is_mapped(&address) {
            return (mapped_unless_none(address[3]), port);
        }
        (address, port)
    }

    #[inline(always)]
    fn connected(&self) -> Option<(Address, u16)> {
        if load!(R, self.sk, skc_state, u8) != ESTABLISHED {
            return None;
        }
        let (_, remote) = self.any.addresses();
        Some((remote, self.any.remote_port()))
    }

    #[inline(always)]
    fn chose_port(&self) -> bool {
        let locks = load!(R, self.sk, sk_userlocks, u8);
        (locks >> (constant(&OFFSETS.sk_userlocks_shift) & 7)) & SOCK_BINDPORT_LOCK != 0
    }

    #[inline(always)]
    fn has_heard(&self) -> bool {
        load!(R, self.sk, skc_incoming_cpu, i32) >= 0
    }

    #[inline(always)]
    fn source(&self, remote: &Address) -> Address {
        // A number also to the verifier, as the function wants it.
        interfaces::source(load!(Probed, self.sk, skc_net, u64), remote)
    }
}

/// IPv4 as it is written in keys.
#[inline(always)]
pub(super) fn mapped(address: u32) -> Address {
    [0, 0, 0xffff_u32.to_be(), address]
}

#[inline(always)]
pub(super) fn is_mapped(address: &Address) -> bool {
    address[0] == 0 && address[1] == 0 && address[2] == 0xffff_u32.to_be()
}

/// A socket that is bound to no address is so for both families.
#[inline(always)]
fn mapped_unless_none(address: u32) -> Address {
    if address == 0 {
        [0; 4]
    } else {
        mapped(address)
    }
}
