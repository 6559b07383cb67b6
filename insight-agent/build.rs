//! Puts the BPF object into the agent: the one that `cargo xtask build` names, else an empty stub, so that `cargo check`,
//! `clippy` and unit tests need no BPF toolchain.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-env-changed=INSIGHT_BPF_OBJECT");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("insight-ebpf.o");
    match std::env::var_os("INSIGHT_BPF_OBJECT") {
        Some(object) => {
            println!("cargo:rerun-if-changed={}", object.display());
            std::fs::copy(&object, &out)
                .map_err(|error| format!("copy the BPF object {}: {error}", object.display()))?;
        }
        None => std::fs::write(&out, b"")?,
    }
    Ok(())
}
