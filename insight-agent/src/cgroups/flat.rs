//! The kernel's flat files: one number, or lines of "key value".

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// More than any file that is read here: memory.stat, the longest, has 2 KiB.
const MAX_FILE: u64 = 64 * 1024;

/// The values of `keys` in "key value" lines; `None` for a key that is not there or has no number.
pub(super) fn pick<const N: usize>(text: &str, keys: [&str; N]) -> [Option<u64>; N] {
    let mut values = [None; N];
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else {
            continue;
        };
        if let Some(at) = keys.iter().position(|wanted| *wanted == key) {
            values[at] = value.trim().parse().ok();
        }
    }
    values
}

/// The only number of a file.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Thousandths of a core that `quota` out of every `period` (same unit) are.
pub(super) fn millicores(quota: u64, period: u64) -> Option<u64> {
    let millicores = (u128::from(quota) * 1000).checked_div(u128::from(period))?;
    u64::try_from(millicores).ok()
}

/// A memory limit; the kernel writes "unlimited" on v1 as a number near 2^63.
pub(super) fn memory_limit(bytes: u64) -> Option<u64> {
    (bytes <= 1 << 62).then_some(bytes)
}

/// A reader of small files with one buffer. Files are opened for each read: kept open, 5,000 cgroups with six files
/// each would take 30,000 descriptors.
#[derive(Debug, Default)]
pub(super) struct Files {
    buffer: Vec<u8>,
}

impl Files {
    /// The text of a file; `None` if there is none (controller not enabled here, cgroup gone, not supported).
    pub(super) fn read(&mut self, directory: &Path, name: &str) -> Option<&str> {
        let file = File::open(directory.join(name)).ok()?;
        self.buffer.clear();
        file.take(MAX_FILE).read_to_end(&mut self.buffer).ok()?;
        std::str::from_utf8(&self.buffer).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_what_is_there() {
        let text = "a 1\nb x\nab 3\n\nnothing\nc 18446744073709551615\n";
        let picked = pick(text, ["c", "b", "a", "d"]);
        assert_eq!(picked, [Some(u64::MAX), None, Some(1), None]);
        assert_eq!(
            (number("7\n"), number("max\n"), number("")),
            (Some(7), None, None)
        );
    }

    #[test]
    fn limits() {
        assert_eq!(millicores(150_000, 100_000), Some(1500));
        assert_eq!(millicores(1, 0), None);
        assert_eq!(millicores(u64::MAX, 1), None);
        assert_eq!(memory_limit(9_223_372_036_854_771_712), None);
        assert_eq!(memory_limit(4096), Some(4096));
    }
}
