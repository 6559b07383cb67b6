//! Writing for people and pipes.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use super::failure::Failure;

/// Writes to standard output at once.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::failed(
                format!("cannot write the answer: {error}"),
                "see where standard output goes, and whether that disk is full",
            ),
        })
}

/// Writes to standard error. If even that fails there is nowhere to say so.
pub(super) fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Columns and rows of the terminal that standard output is; nothing if it is none.
pub(super) fn terminal() -> Option<(usize, usize)> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    // What every terminal has had since the VT100, for one that does not say.
    let size = rustix::termios::tcgetwinsize(&out).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    Some(size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into())))
}
