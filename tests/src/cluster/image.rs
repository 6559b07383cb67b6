//! Images of the cluster, made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::turns::Turn;
use super::xtask;
use crate::product::{program, run_once};

/// A shell and small tools: on every node from the start.
pub const BUSYBOX: &str = "busybox:1";

/// Gives all nodes an image, `localhost/NAME:TAG`, whose root is the content of a folder.
pub fn of_folder(name: &str, folder: &Path, command: &[&str]) -> Result<()> {
    let folder = folder.to_str().context("a path is text")?;
    let _turn = Turn::with_images()?;
    let words = [&["image", name, folder, "--"], command].concat();
    run_once(xtask(&words)?)?.stdout().map(drop)
}

/// Gives all nodes an image that runs a program of this workspace, which it holds as `/NAME` with the libraries that it loads.
pub fn of_program(image: &str, name: &str) -> Result<()> {
    let program = program(name)?;
    let root = TempDir::with_prefix("insight-image-")?;
    copy(&program, &root.path().join(name))?;
    for library in libraries(&program)? {
        let below = library.strip_prefix("/")?;
        copy(&library, &root.path().join(below))?;
    }
    of_folder(image, root.path(), &[&format!("/{name}")])
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let copied = fs::copy(from, to).map(drop);
    copied.with_context(|| format!("copy {} to {}", from.display(), to.display()))
}

/// What the loader would load, and itself.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    Ok(paths(&run_once(ldd)?.stdout()?))
}

/// ldd: `name => /path (address)`, or `/path (address)`.
fn paths(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_says() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(paths(text), found.map(PathBuf::from));
    }
}
