//! bpf(2) itself.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The union of bpf(2), as far as the benchmark's commands use it: each reads its own words and wants the rest to be zero.
#[repr(C, align(8))]
#[derive(Default)]
pub(in crate::bench) struct Attributes([u32; 32]);

impl Attributes {
    pub(in crate::bench) fn with(words: &[u32]) -> Self {
        let mut attributes = Self::default();
        attributes.0[..words.len()].copy_from_slice(words);
        attributes
    }

    /// A number at the word with this number.
    pub(in crate::bench) fn word(mut self, word: usize, value: u32) -> Self {
        self.0[word] = value;
        self
    }

    /// A pointer at the word with this number, an even one.
    pub(in crate::bench) fn pointer(mut self, word: usize, pointer: *const libc::c_void) -> Self {
        let bytes = (pointer as u64).to_ne_bytes();
        let half = |from: usize| {
            u32::from_ne_bytes([
                bytes[from],
                bytes[from + 1],
                bytes[from + 2],
                bytes[from + 3],
            ])
        };
        (self.0[word], self.0[word + 1]) = (half(0), half(4));
        self
    }

    /// What is at the word, perhaps the kernel's answer.
    pub(in crate::bench) fn at(&self, word: usize) -> u32 {
        self.0[word]
    }
}

/// A descriptor as the kernel wants it in the attributes.
pub(in crate::bench) fn number(fd: &impl AsRawFd) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

/// # Safety
/// As [`bpf`]; and the command answers a new descriptor.
pub(in crate::bench) unsafe fn descriptor(
    command: libc::c_long,
    attributes: &mut Attributes,
) -> io::Result<OwnedFd> {
    // SAFETY: as the caller promises.
    let fd = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Some commands answer in the attributes.
///
/// # Safety
/// The pointers in the attributes are valid for what the command does with them.
pub(in crate::bench) unsafe fn bpf(
    command: libc::c_long,
    attributes: &mut Attributes,
) -> io::Result<i32> {
    // SAFETY: the attributes are as long as we say; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<Attributes>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_fill_two_words() {
        let value = 0x0102_0304_0506_0708_usize as *const libc::c_void;
        let attributes = Attributes::with(&[9, 8]).pointer(2, value).word(7, 5);
        let words = &attributes.0;
        assert_eq!(words[..2], [9, 8]);
        let joined = match cfg!(target_endian = "little") {
            true => u64::from(words[3]) << 32 | u64::from(words[2]),
            false => u64::from(words[2]) << 32 | u64::from(words[3]),
        };
        assert_eq!(joined, 0x0102_0304_0506_0708);
        assert_eq!(attributes.at(7), 5);
        assert!(words[4..7].iter().chain(&words[8..]).all(|word| *word == 0));
    }
}
