//! The modules that the tests need, out of an unpacked kernel package.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::kernels::MODULES;
use crate::cargo;

/// Puts them, decompressed, into a folder, under names that sort in the order in which they can be loaded.
pub(crate) fn extract(tree: &Path, version: &str, into: &Path) -> Result<()> {
    std::fs::create_dir_all(into).with_context(|| format!("make {}", into.display()))?;
    let bases = [tree.to_owned(), tree.join("usr")];
    let base = bases
        .iter()
        .find(|base| base.join("lib/modules").join(version).is_dir());
    let Some(base) = base else {
        bail!("the packages have no modules of {version}");
    };
    // Packages bring no index: Debian makes it when they are installed.
    cargo::run(kmod("depmod").arg("-b").arg(base).arg(version))?;
    let mut order = Vec::new();
    for module in MODULES {
        let answer = cargo::answer(kmod("modprobe").arg("-d").arg(base).args([
            "-S",
            version,
            "--show-depends",
            module,
        ]))?;
        for file in files(&answer) {
            if !order.contains(&file) {
                order.push(file);
            }
        }
    }
    for (index, file) in order.iter().enumerate() {
        decompress(file, index, into)?;
    }
    Ok(())
}

/// kmod is many programs, by the name under which it is called; those are in a folder that only root has on its search path.
fn kmod(name: &str) -> Command {
    let mut command = Command::new("kmod");
    command.arg0(name);
    command
}

/// The files in what `modprobe --show-depends` prints: `insmod FILE` or `builtin NAME`, what is needed first comes first.
fn files(answer: &str) -> Vec<PathBuf> {
    let file = |line: &str| Some(line.strip_prefix("insmod ")?.trim().into());
    answer.lines().filter_map(file).collect()
}

fn decompress(file: &Path, index: usize, into: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (name, ending) = name
        .split_once(".ko")
        .with_context(|| format!("{} is no module", file.display()))?;
    let target = into.join(format!("{index:02}-{name}.ko"));
    let program = match ending {
        "" => "cat",
        ".xz" => "xzcat",
        ".zst" => "zstdcat",
        ".gz" => "zcat",
        _ => bail!("{} is compressed in an unknown way", file.display()),
    };
    let output = File::create(&target).with_context(|| format!("create {}", target.display()))?;
    let mut command = Command::new(program);
    command.arg(file).stdout(output);
    let status = command
        .status()
        .with_context(|| format!("run '{}'", cargo::show(&command)))?;
    ensure!(
        status.success(),
        "'{}' failed ({status})",
        cargo::show(&command)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_no_file() {
        let answer =
            "builtin ipv6\ninsmod /t/net/802/stp.ko.xz \ninsmod /t/net/bridge/bridge.ko.xz\n";
        assert_eq!(
            files(answer),
            ["/t/net/802/stp.ko.xz", "/t/net/bridge/bridge.ko.xz"].map(PathBuf::from)
        );
    }

    #[test]
    fn modules_are_numbered_without_their_compression() {
        let folder = std::env::temp_dir().join(format!("insight-modules-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let plain = folder.join("veth.ko");
        std::fs::write(&plain, "module").unwrap();
        decompress(&plain, 7, &folder).unwrap();
        assert_eq!(std::fs::read(folder.join("07-veth.ko")).unwrap(), b"module");
        assert!(decompress(&folder.join("veth.ko.br"), 8, &folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
