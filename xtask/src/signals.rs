//! Ctrl-C and SIGTERM as a question one can ask, so that what runs is stopped in order.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    ASKED_TO_STOP.store(true, Ordering::Relaxed);
}

/// From now on these signals do not kill us. Programs that we start get them as usual.
pub(crate) fn catch() -> Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let handler = note as extern "C" fn(libc::c_int);
        // SAFETY: the handler only stores to an atomic, which is allowed in one.
        let old = unsafe { libc::signal(signal, handler as libc::sighandler_t) };
        ensure!(
            old != libc::SIG_ERR,
            "catch signal {signal}: {}",
            std::io::Error::last_os_error()
        );
    }
    Ok(())
}

/// Whether one has come.
pub(crate) fn asked_to_stop() -> bool {
    ASKED_TO_STOP.load(Ordering::Relaxed)
}
