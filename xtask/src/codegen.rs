//! Generates the wire code from the .proto files, without protoc.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use prost::Message;

/// Arguments of `cargo xtask codegen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when the committed code is out of date
    #[arg(long)]
    check: bool,
}

const FILES: [&str; 3] = [
    "insight/v1/flow.proto",
    "insight/v1/agent.proto",
    "insight/v1/topology.proto",
];
/// What the store keeps. It is no API, so reflection does not tell of it.
const STORED: [&str; 1] = ["insight/storage/v1/names.proto"];

/// Fails when the committed code is out of date.
pub(crate) fn check() -> Result<()> {
    run(&Args { check: true })
}

/// Writes `proto/src/gen`, or with `--check` compares it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let committed = proto.join("src/gen");
    let fresh = if args.check {
        std::env::temp_dir().join(format!("insight-codegen-{}", std::process::id()))
    } else {
        committed.clone()
    };
    std::fs::create_dir_all(&fresh).with_context(|| format!("create {}", fresh.display()))?;
    let result = generate(&proto, &fresh).and_then(|()| {
        if args.check {
            compare(&committed, &fresh)
        } else {
            println!("wrote {}", committed.display());
            Ok(())
        }
    });
    if args.check {
        std::fs::remove_dir_all(&fresh).with_context(|| format!("remove {}", fresh.display()))?;
    }
    result
}

fn generate(proto: &Path, out: &Path) -> Result<()> {
    let files: Vec<PathBuf> = FILES.iter().map(|file| proto.join(file)).collect();
    let descriptors = protox::compile(files, [proto]).context("compile the .proto files")?;
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())
        .context("write descriptors.bin")?;
    let stored: Vec<PathBuf> = STORED.iter().map(|file| proto.join(file)).collect();
    let stored = protox::compile(stored, [proto]).context("compile the .proto files")?;
    for descriptors in [descriptors, stored] {
        tonic_prost_build::configure()
            .out_dir(out)
            .compile_fds(descriptors)
            .context("generate code")?;
    }
    Ok(())
}

fn compare(committed: &Path, fresh: &Path) -> Result<()> {
    for entry in std::fs::read_dir(fresh)? {
        let name = entry?.file_name();
        let (old, new) = (
            std::fs::read(committed.join(&name)),
            std::fs::read(fresh.join(&name))?,
        );
        if !old.is_ok_and(|old| old == new) {
            bail!(
                "proto/src/gen/{} is not what the .proto files give: run 'cargo xtask codegen' and commit the result",
                name.display()
            );
        }
    }
    println!("proto/src/gen is current");
    Ok(())
}
