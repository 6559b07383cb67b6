//! Images of real servers, from Debian's packages: unpacked with all that they depend on, nothing of it installed here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::image;
use crate::product::program;

/// What a merged /usr has at the top: older packages have files there, newer ones rely on these links.
const LINKS: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Gives all nodes an image, `localhost/NAME:TAG`, with a package and what it depends on, that runs a command. Packages are fetched once.
pub fn image_of(name: &str, package: &str, command: &[&str]) -> Result<()> {
    let root = TempDir::with_prefix("insight-image-")?;
    for link in LINKS {
        fs::create_dir_all(root.path().join("usr").join(link))?;
        symlink(format!("usr/{link}"), root.path().join(link))?;
    }
    for folder in ["tmp", "var/lib", "etc"] {
        fs::create_dir_all(root.path().join(folder))?;
    }
    let archives = archives(package)?;
    ensure!(
        !archives.is_empty(),
        "apt-get has fetched nothing for {package}"
    );
    for archive in &archives {
        unpack(archive, root.path())?;
    }
    image::of_folder(name, root.path(), command)
}

/// The package's files and those of its dependencies, fetched unless they were before.
fn archives(package: &str) -> Result<Vec<PathBuf>> {
    // Beside the programs' folder, in cargo's target.
    let programs = program("xtask")?;
    let target = programs.ancestors().nth(2).context("a target folder")?;
    let folder = target.join("packages").join(package);
    let whole = folder.join("whole");
    if !whole.exists() {
        fs::create_dir_all(folder.join("partial"))?;
        let mut apt = Command::new("apt-get");
        apt.args([
            "install",
            "--download-only",
            "--yes",
            "--no-install-recommends",
        ]);
        // As if nothing were installed here: the image has nothing yet.
        apt.args([
            "-o",
            "Dir::State::status=/dev/null",
            "-o",
            "Debug::NoLocking=1",
        ]);
        apt.arg("-o")
            .arg(format!("Dir::Cache::archives={}", folder.display()));
        let status = apt.arg(package).stdout(Stdio::null()).status();
        let status = status.context("run apt-get")?;
        ensure!(
            status.success(),
            "apt-get has not fetched {package}: {status}"
        );
        fs::write(&whole, "")?;
    }
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "deb"))
        .collect();
    files.sort();
    Ok(files)
}

fn unpack(archive: &Path, root: &Path) -> Result<()> {
    let mut dpkg = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .context("run dpkg-deb")?;
    let content = dpkg.stdout.take().context("standard output is piped")?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--keep-directory-symlink", "--directory"]);
    let unpacked = tar.arg(root).stdin(content).status().context("run tar")?;
    let read = dpkg.wait()?;
    let good = unpacked.success() && read.success();
    ensure!(
        good,
        "{} cannot be unpacked: {read}, {unpacked}",
        archive.display()
    );
    Ok(())
}
