//! `readout`: one pass over the files of all processes writes a record for each open TCP socket.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{file, seq_file};
use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_sock_from_file};
use insight_ebpf::abi::LiveSocket;
use insight_ebpf::flow::live_socket;

use super::maps::KernelMaps;
use super::socket::{KernelSocket, Typed, is_tcp, load};
use super::udp;

/// `struct bpf_iter_meta`, kernel/bpf/bpf_iter.c
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
}

/// `struct bpf_iter__task_file`, kernel/bpf/task_iter.c
#[repr(C)]
struct Context {
    meta: *mut Meta,
    task: *mut c_void,
    descriptor: u64,
    file: *mut file,
}

/// The kernel calls this for each descriptor of each process, and once at the end without a file.
#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
extern "C" fn readout(context: *mut Context) -> i32 {
    // SAFETY: the kernel's context. Each pointer is loaded once: a second load is a new, unchecked pointer to the verifier.
    let (meta, file) = unsafe {
        (
            read_volatile(&raw const (*context).meta),
            read_volatile(&raw const (*context).file),
        )
    };
    if file.is_null() {
        return 0;
    }
    // SAFETY: the verifier knows the file; the helper answers null for one that is no socket.
    let socket = unsafe { bpf_sock_from_file(file) };
    if socket.is_null() {
        return 0;
    }
    let sk = load!(Typed, socket.cast::<c_void>(), socket_sk, *mut c_void);
    if sk.is_null() {
        return 0;
    }
    if !is_tcp::<Typed>(sk) {
        udp::opened(sk);
        return 0;
    }
    let Some(socket) = KernelSocket::tcp(sk) else {
        return 0;
    };
    if let Some(record) = live_socket(&KernelMaps, &socket) {
        // SAFETY: `meta` is never null; the record is whole and padded.
        unsafe {
            let seq = read_volatile(&raw const (*meta).seq);
            bpf_seq_write(
                seq,
                (&raw const record).cast(),
                size_of::<LiveSocket>() as u32,
            );
        }
    }
    0
}
