//! Who holds the lock on a folder, from `/proc/locks` (proc_locks(5)).

use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// The holder in words, for an error.
pub(super) fn of(lock: &File) -> String {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let file = lock.metadata().ok();
    let pid = file.and_then(|file| pid(&locks, file.dev(), file.ino()));
    pid.map_or_else(
        || "another agent".to_owned(),
        |pid| format!("another agent, process {pid}"),
    )
}

/// The process that holds the flock(2) lock of a file. A line: `1: FLOCK  ADVISORY  WRITE 4711 00:2f:5678 0 EOF`, where the device is
/// hexadecimal and the inode decimal. A process of another PID namespace has no number here.
pub(in crate::kernel) fn pid(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_flock = words.next() == Some("FLOCK");
        let pid = words.nth(2)?.parse().ok().filter(|pid| *pid > 0);
        (is_flock && words.next() == Some(&place)).then_some(pid)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  READ  1200 fe:00:77 128 128
2: FLOCK  ADVISORY  WRITE 4711 00:2f:5678 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4712 00:2f:5678 0 EOF
3: FLOCK  ADVISORY  WRITE 0 00:2f:5679 0 EOF
4: OFDLCK ADVISORY  READ  -1 00:06:1 0 EOF
";

    #[test]
    fn the_holder_of_a_folder_is_found() {
        let device = rustix::fs::makedev(0, 0x2f);
        assert_eq!(pid(LOCKS, device, 5678), Some(4711));
        assert_eq!(pid(LOCKS, device, 5679), None, "in another PID namespace");
        assert_eq!(pid(LOCKS, device, 9), None);
        assert_eq!(pid("5: FLOCK\nnonsense\n\n", device, 5678), None);
        let read_by_posix = rustix::fs::makedev(0xfe, 0);
        assert_eq!(pid(LOCKS, read_by_posix, 77), None);
    }
}
