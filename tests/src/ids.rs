//! Names that no other test, and no other run, uses at the same time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts up within this process.
pub fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// `<pid>-<n>`, what every name of this run ends with.
pub fn suffix() -> String {
    format!("{}-{}", std::process::id(), next_number())
}

/// A pod UID in its canonical form.
pub fn pod_uid() -> String {
    let (pid, number) = (std::process::id(), next_number());
    format!("{pid:08x}-7e57-4000-8000-{number:012x}")
}

/// A container id: 64 hexadecimal digits.
pub fn container_id() -> String {
    let (pid, number) = (std::process::id(), next_number());
    format!("{pid:032x}{number:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_shape_and_differ() {
        let (one, two) = (pod_uid(), pod_uid());
        assert_ne!(one, two);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        let id = container_id();
        assert_eq!(id.len(), 64);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(id, container_id());
    }
}
