//! The programs. They only translate: what is counted, and when, is decided in `insight_ebpf::flow`.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "the BPF target has no AtomicU64::fetch_add in the pinned toolchain, only the intrinsic"
)]

mod programs;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses programs that could come here.
    loop {}
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
