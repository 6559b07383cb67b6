//! What this process may do, of what matters here.

use std::collections::BTreeMap;

/// Numbers from include/uapi/linux/capability.h.
const CAPABILITIES: [(&str, u32); 4] = [
    ("CAP_BPF", 39),
    ("CAP_PERFMON", 38),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_NET_ADMIN", 12),
];

/// Each, and whether this process has it.
pub(super) fn held() -> BTreeMap<&'static str, bool> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    of(&status)
}

/// Whether this process has one of them.
pub fn holds(name: &str) -> bool {
    held().get(name).copied().unwrap_or(false)
}

/// What every program needs.
pub(super) const PROGRAMS: &[&str] = &["CAP_BPF", "CAP_PERFMON"];
/// What a cgroup's program that looks at addresses or sockets needs.
pub(super) const CGROUP_PROGRAMS: &[&str] = &["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"];

/// Those of the needed ones that this process lacks. CAP_SYS_ADMIN includes them all, as before Linux 5.8.
pub(super) fn missing(needed: &[&'static str]) -> Vec<&'static str> {
    let held = held();
    if held["CAP_SYS_ADMIN"] {
        return Vec::new();
    }
    let needed = needed.iter().copied();
    needed.filter(|name| !held[name]).collect()
}

pub(super) fn of(status: &str) -> BTreeMap<&'static str, bool> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    CAPABILITIES
        .iter()
        .map(|(name, bit)| (*name, effective >> bit & 1 == 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_effective_set() {
        let held = of("CapPrm:\tffffffffffffffff\nCapEff:\t000000c000000000\n");
        assert!(held["CAP_BPF"] && held["CAP_PERFMON"] && !held["CAP_SYS_ADMIN"]);
        assert!(of("").values().all(|held| !held));
    }
}
