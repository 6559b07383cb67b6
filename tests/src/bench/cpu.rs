//! CPU time of a process.

use std::fs;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// User and system time of all its threads, those that have ended included.
pub(super) fn used(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let ticks = ticks(&text).with_context(|| format!("no utime and stime in {path}"))?;
    duration(ticks)
}

/// Ticks of the kernel's user interface as time.
pub(super) fn duration(ticks: u64) -> Result<Duration> {
    // SAFETY: asks for a number.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ensure!(
        a_second > 0,
        "the kernel's clock ticks: {}",
        io::Error::last_os_error()
    );
    Ok(Duration::from_secs_f64(ticks as f64 / a_second as f64))
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field is a name in brackets that may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = after_name.next()?.parse().ok()?;
    let system: u64 = after_name.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_fields_behind_any_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 17 5 0 0 20 0 1 0 900 1000 20";
        assert_eq!(ticks(stat), Some(22));
        assert_eq!(ticks("42 (a) S 1"), None);
    }

    #[test]
    fn this_process_uses_some() {
        assert!(used(std::process::id()).is_ok());
        assert!(used(u32::MAX).is_err());
    }
}
