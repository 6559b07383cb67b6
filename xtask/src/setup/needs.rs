//! What is needed, why, how one sees that it is there, and where it comes from: data.

/// One thing that Insight's verbs need beyond the pinned toolchain.
pub(crate) struct Need {
    /// What people call it
    pub(crate) name: &'static str,
    /// Why we need it, to be read after a comma
    pub(crate) why: &'static str,
    /// How one sees that it is there
    pub(crate) sign: Sign,
    /// Where it comes from
    pub(crate) source: Source,
}

/// How one sees that something is there.
pub(crate) enum Sign {
    /// A file in the folder of the active toolchain
    InSysroot(&'static str),
    /// One of these files
    File(&'static [&'static str]),
    /// A program that answers to these words at all
    Answers(&'static [&'static str]),
    /// A program that answers with its version
    Version {
        /// The words to type
        ask: &'static [&'static str],
        /// Which versions serve
        accept: Accept,
    },
}

/// Which versions of a program serve.
pub(crate) enum Accept {
    /// This one alone
    Exactly([u32; 3]),
    /// This one and later ones
    AtLeast([u32; 3]),
}

/// Where something comes from.
pub(crate) enum Source {
    /// A component of the pinned toolchain
    Rustup(&'static str),
    /// A program on crates.io, at this version
    Cargo(&'static str, &'static str),
    /// A package of Debian and its kin
    Apt(&'static str),
    /// Not something that we install: what to do instead
    ByHand(&'static str),
}

impl Source {
    /// The command that one would type.
    pub(crate) fn command(&self) -> String {
        match self {
            Self::Rustup(component) => format!("rustup component add {component}"),
            Self::Cargo(name, version) => {
                format!("cargo install {name} --version {version} --locked --force")
            }
            Self::Apt(package) => format!("apt-get install {package}"),
            Self::ByHand(what) => (*what).to_owned(),
        }
    }
}

/// The standard library's source.
const RUST_SRC: Need = Need {
    name: "rust-src",
    why: "the BPF target has no ready-made core library, so it is built from source",
    sign: Sign::InSysroot("lib/rustlib/src/rust/library/core/Cargo.toml"),
    source: Source::Rustup("rust-src"),
};

/// The linker of the BPF object. Exactly this version: a later one wants a later LLVM than the pinned rustc has.
const BPF_LINKER: Need = Need {
    name: "bpf-linker",
    why: "it links the BPF object; building it takes some minutes, once",
    sign: Sign::Version {
        ask: &["bpf-linker", "--version"],
        accept: Accept::Exactly([0, 10, 4]),
    },
    source: Source::Cargo("bpf-linker", "0.10.4"),
};

/// The dependency checker.
const CARGO_DENY: Need = Need {
    name: "cargo-deny",
    why: "it checks licences, sources and advisories of the dependencies; building it takes some minutes, once",
    sign: Sign::Version {
        ask: &["cargo-deny", "--version"],
        accept: Accept::AtLeast([0, 20, 2]),
    },
    source: Source::Cargo("cargo-deny", "0.20.2"),
};

/// The tool that makes network namespaces.
const IPROUTE2: Need = Need {
    name: "iproute2",
    why: "pods of the tests and of the demo are network namespaces, made by 'ip'",
    sign: Sign::Answers(&["ip", "-Version"]),
    source: Source::Apt("iproute2"),
};

/// The tool for NAT and connection tracking.
const NFTABLES: Need = Need {
    name: "nftables",
    why: "Services of the tests are NAT rules, and benchmarks track connections, by 'nft'",
    sign: Sign::Answers(&["nft", "--version"]),
    source: Source::Apt("nftables"),
};

/// The emulator.
const QEMU: Need = Need {
    name: "qemu-system-x86",
    why: "other kernels are tried in virtual machines; it is a large package",
    sign: Sign::Answers(&["qemu-system-x86_64", "--version"]),
    source: Source::Apt("qemu-system-x86"),
};

/// The shell of the virtual machines.
const BUSYBOX: Need = Need {
    name: "busybox",
    why: "it is all that the virtual machines have beside Insight's programs",
    sign: Sign::Answers(&["busybox", "true"]),
    source: Source::Apt("busybox-static"),
};

/// The tools for kernel modules.
const KMOD: Need = Need {
    name: "kmod",
    why: "it finds the modules that the virtual machines need",
    sign: Sign::Answers(&["kmod", "--version"]),
    source: Source::Apt("kmod"),
};

/// The unpacker of kernel modules.
const XZ: Need = Need {
    name: "xz-utils",
    why: "Debian's kernel modules are compressed with it",
    sign: Sign::Answers(&["xzcat", "--version"]),
    source: Source::Apt("xz-utils"),
};

/// The compiler of Kubernetes.
const GO: Need = Need {
    name: "go",
    why: "Kubernetes is built here from its published modules; Go fetches the version of itself that these want",
    sign: Sign::Version {
        ask: &["go", "version"],
        accept: Accept::AtLeast([1, 21, 0]),
    },
    source: Source::ByHand("install Go 1.21 or later and put it on the PATH"),
};

/// The store of the control plane.
const ETCD: Need = Need {
    name: "etcd",
    why: "the cluster's API server stores in it",
    sign: Sign::Answers(&["etcd", "--version"]),
    source: Source::Apt("etcd-server"),
};

/// What runs containers.
const CONTAINERD: Need = Need {
    name: "containerd",
    why: "the cluster's nodes run containers by it",
    sign: Sign::Answers(&["containerd", "--version"]),
    source: Source::Apt("containerd"),
};

/// What containerd starts them with.
const RUNC: Need = Need {
    name: "runc",
    why: "containerd starts containers by it",
    sign: Sign::Answers(&["runc", "--version"]),
    source: Source::Apt("runc"),
};

/// What connects pods.
const CNI: Need = Need {
    name: "containernetworking-plugins",
    why: "they connect the cluster's pods",
    sign: Sign::File(&["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"]),
    source: Source::Apt("containernetworking-plugins"),
};

/// What makes keys.
const OPENSSL: Need = Need {
    name: "openssl",
    why: "it makes the cluster's keys",
    sign: Sign::Answers(&["openssl", "version"]),
    source: Source::Apt("openssl"),
};

/// What runs Cassandra. Exactly this one: 5.0 runs on no later one.
const JDK: Need = Need {
    name: "openjdk-17",
    why: "Cassandra runs on it",
    sign: Sign::File(&[
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        "/usr/lib/jvm/java-17-openjdk-arm64/bin/java",
    ]),
    source: Source::Apt("openjdk-17-jre-headless"),
};

/// What fetches Cassandra.
const MAVEN: Need = Need {
    name: "maven",
    why: "it fetches Cassandra's published jars",
    sign: Sign::Answers(&["mvn", "--version"]),
    source: Source::Apt("maven"),
};

/// For the BPF object.
pub(crate) const BPF: &[&Need] = &[&RUST_SRC, &BPF_LINKER];
/// For the lint tier.
pub(crate) const LINT: &[&Need] = &[&CARGO_DENY];
/// For the demo.
pub(crate) const PODS: &[&Need] = &[&RUST_SRC, &BPF_LINKER, &IPROUTE2];
/// For tests on the real kernel, and for the benchmarks.
pub(crate) const HOST: &[&Need] = &[&RUST_SRC, &BPF_LINKER, &IPROUTE2, &NFTABLES];
/// For the virtual machines.
pub(crate) const VM: &[&Need] = &[&QEMU, &BUSYBOX, &KMOD, &XZ, &IPROUTE2];
/// For the cluster.
pub(crate) const CLUSTER: &[&Need] = &[
    &GO,
    &ETCD,
    &CONTAINERD,
    &RUNC,
    &CNI,
    &NFTABLES,
    &BUSYBOX,
    &IPROUTE2,
    &OPENSSL,
];
/// For Cassandra.
pub(crate) const CASSANDRA: &[&Need] = &[&JDK, &MAVEN];
/// For everything.
pub(crate) const ALL: &[&Need] = &[
    &RUST_SRC,
    &BPF_LINKER,
    &CARGO_DENY,
    &IPROUTE2,
    &NFTABLES,
    &QEMU,
    &BUSYBOX,
    &KMOD,
    &XZ,
    &GO,
    &ETCD,
    &CONTAINERD,
    &RUNC,
    &CNI,
    &OPENSSL,
    &JDK,
    &MAVEN,
];
