//! Cgroups as they are made.

use aya::maps::{MapData, RingBuf};
use insight_ebpf::abi::Birth;

use super::system;

/// What the program `births` has seen.
pub struct Births(pub(super) RingBuf<MapData>);

impl Births {
    /// Hands out id and path of each cgroup that was made since the last call.
    pub fn take(&mut self, mut each: impl FnMut(u64, &str)) {
        while let Some(item) = self.0.next() {
            for birth in system::values::<Birth>(&item) {
                let path = birth.path().map(String::from_utf8_lossy);
                if let Some(path) = path {
                    each(birth.cgroup, &path);
                }
            }
        }
    }
}
