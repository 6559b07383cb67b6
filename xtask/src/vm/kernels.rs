//! The kernels that are booted: data.

/// A series of Debian kernels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Its name here
    pub(crate) name: &'static str,
    /// How Debian's names of its versions begin; the newest is taken
    pub(crate) series: &'static str,
    /// Why it is one of them
    pub(crate) why: &'static str,
    /// Debian's suites that have it
    pub(crate) suites: &'static [&'static str],
}

/// Oldest first: long-term kernels as distributions ship them, and the newest there is.
pub(crate) const KERNELS: [Kernel; 6] = [
    Kernel {
        name: "5.10.223",
        series: "5.10.0-32",
        why: "the last of Debian 11 before a layout that later ones got from 5.15",
        suites: &["bullseye"],
    },
    Kernel {
        name: "5.10",
        series: "5.10",
        why: "Debian 11; the oldest series with CAP_BPF and ring buffers that is still in use",
        suites: &["bullseye-security"],
    },
    Kernel {
        name: "6.1",
        series: "6.1",
        why: "Debian 12, Amazon Linux 2023",
        suites: &["bookworm", "bookworm-security"],
    },
    Kernel {
        name: "6.12",
        series: "6.12",
        why: "Debian 13, RHEL 10",
        suites: &["trixie", "trixie-security"],
    },
    Kernel {
        name: "6.18",
        series: "6.18",
        why: "long-term",
        suites: &["trixie-backports"],
    },
    Kernel {
        name: "7",
        series: "7",
        why: "the newest",
        suites: &["trixie-backports"],
    },
];

/// The kernel with this name.
pub(crate) fn named(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.name == name)
}

/// Modules that the tests need and Debian does not build in; what they need in turn comes with them.
pub(crate) const MODULES: [&str; 2] = ["veth", "bridge"];
