//! What identifies this boot of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The kernel's random id of this boot, for example "70bbe420-be1a-4479-8cca-a539ec5277cb". Cgroup ids and the kernel's
/// counters mean something only within it.
pub fn boot_id() -> anyhow::Result<String> {
    let text = std::fs::read_to_string(BOOT_ID)
        .with_context(|| format!("cannot read the boot id from {BOOT_ID}; is /proc mounted?"))?;
    Ok(text.trim().to_owned())
}

/// This machine's (or UTS namespace's) host name.
pub fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Now, in Unix milliseconds.
pub fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_a_uuid_and_stays() {
        let id = boot_id().unwrap();
        assert_eq!((id.len(), id.matches('-').count()), (36, 4));
        assert_eq!(id, boot_id().unwrap());
    }

    #[test]
    fn the_host_has_a_name() {
        let file = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(hostname(), file.trim_end());
    }
}
