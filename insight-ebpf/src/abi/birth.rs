//! The map `BIRTHS`: cgroups as they are made.

/// Bytes of a path that are kept; the kernel's own limit is `PATH_MAX`, Kubernetes' paths have up to 250.
pub const BIRTH_PATH: usize = 512;

/// A cgroup that was made.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its id.
    pub cgroup: u64,
    /// Bytes of its path, the 0 at the end included; 0 or less: it could not be read.
    pub length: i64,
    /// Its path from the root of its hierarchy.
    pub path: [u8; BIRTH_PATH],
}

impl Birth {
    /// The path, if it was read whole.
    pub fn path(&self) -> Option<&[u8]> {
        let length = usize::try_from(self.length).ok()?.checked_sub(1)?;
        // One that fills the room may go on behind it.
        let path = self.path.get(..length)?;
        (length < BIRTH_PATH - 1).then_some(path)
    }
}

const _: () = assert!(size_of::<Birth>() == 16 + BIRTH_PATH);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_path_is_one() {
        let mut birth = Birth {
            cgroup: 7,
            length: 4,
            path: [b'a'; BIRTH_PATH],
        };
        assert_eq!(birth.path(), Some(&b"aaa"[..]));
        for wrong in [0, -14, BIRTH_PATH as i64, i64::MAX] {
            birth.length = wrong;
            assert_eq!(birth.path(), None, "{wrong}");
        }
    }
}
