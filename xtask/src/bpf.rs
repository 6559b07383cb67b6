//! The BPF object: the programs of `insight-ebpf`, built by the pinned stable toolchain.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::project::Project;

/// The variable through which `insight-agent`'s build script learns which object to embed; unset, it embeds a stub.
pub(crate) const OBJECT_VARIABLE: &str = "INSIGHT_BPF_OBJECT";

const TARGET: &str = "bpfel-unknown-none";
const PROFILE: &str = "bpf";

/// Flags of rustc, kept apart by the unit separator that CARGO_ENCODED_RUSTFLAGS wants. The BTF that loaders and the verifier read
/// is made from the debug information.
const RUSTFLAGS: [&str; 3] = ["-Clinker=bpf-linker", "-Clink-arg=--btf", "-Cdebuginfo=2"];

/// Builds the object and says where it is.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    // Its own folder: the flags differ from the host's, and cargo would rebuild the world at each change of sides.
    let folder = project.target.join("bpf");
    let sysroot = cargo::answer(cargo::tool(&project.root, "rustc").args(["--print", "sysroot"]))?;
    cargo::run(
        cargo::command(&project.root)
            .args([
                "build",
                "--package",
                "insight-ebpf",
                "--bin",
                "insight-ebpf",
            ])
            .args(["--features", "programs", "--profile", PROFILE])
            .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
            .arg(&folder)
            // A stable toolchain that may use -Z: nothing else of it is unstable, and the pin makes the result reproducible.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\u{1f}"))
            // bpf-linker carries no LLVM: it opens the one of this rustc, and finds it only by this.
            .env("LD_LIBRARY_PATH", PathBuf::from(sysroot).join("lib")),
    )
    .context("build the BPF object")?;
    let object = folder.join(TARGET).join(PROFILE).join("insight-ebpf");
    ensure!(
        object.is_file(),
        "the build of the BPF object left no {}",
        object.display()
    );
    Ok(object)
}
