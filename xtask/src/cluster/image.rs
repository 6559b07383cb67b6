//! Images of containers, from a folder on this machine to every node: no registry, no engine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::layout::{Node, STATE};
use super::{digest, node};
use crate::cargo;

/// The image of every pod's first container, which holds its namespaces: kubelet and containerd know it by this name.
pub(crate) const PAUSE: &str = "pause:1";
/// The image of a shell and small tools.
pub(crate) const BUSYBOX: &str = "busybox:1";
/// How long the first container of a pod sleeps: longer than any pod lives.
const FOR_EVER: &str = "2147483647";
/// Docker's own, and what `kind` and others call images of nowhere.
const REGISTRY: &str = "localhost";

/// An image in a file, as `docker save` would make it.
pub(crate) struct Image {
    /// Its whole name
    pub(crate) name: String,
    file: PathBuf,
}

impl Image {
    /// Makes one whose root is the content of a folder. `name` is its name and tag, `command` what it runs.
    pub(crate) fn new(name: &str, root: &Path, command: &[String]) -> Result<Self> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        let named = name.split_once(':');
        ensure!(
            named.is_some_and(|(name, tag)| !tag.is_empty()
                && !name.is_empty()
                && name.chars().all(good)),
            "an image is called NAME:TAG, in lower case, not '{name}'"
        );
        let name = format!("{REGISTRY}/{name}");
        let work = work(&name);
        let result = Self::pack(&name, root, command, &work);
        // It may not have been made.
        let _ = fs::remove_dir_all(&work);
        result
    }

    fn pack(name: &str, root: &Path, command: &[String], work: &Path) -> Result<Self> {
        fs::create_dir_all(work).with_context(|| format!("make {}", work.display()))?;
        let layer = work.join("layer.tar");
        // The same content is the same image, whoever made it and when.
        let same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0"];
        tar(&layer, root, &same, &["."])?;
        let parts = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": command, "WorkingDir": "/", "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest::of_file(&layer)?)]},
        });
        let manifest =
            json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
        fs::write(work.join("config.json"), parts.to_string())
            .context("write an image's configuration")?;
        fs::write(work.join("manifest.json"), manifest.to_string())
            .context("write an image's manifest")?;
        let file = work.with_extension("image");
        tar(
            &file,
            work,
            &[],
            &["manifest.json", "config.json", "layer.tar"],
        )?;
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }

    /// Gives it to a node.
    pub(crate) fn import(&self, to: &Node) -> Result<()> {
        // The node has its own /var.
        let there = to.folder().join("var/tmp/image.tar");
        fs::copy(&self.file, &there).with_context(|| format!("copy to {}", there.display()))?;
        let imported = node::ctr(to, &["images", "import", "/var/tmp/image.tar"]);
        let _ = fs::remove_file(&there);
        imported
            .map(drop)
            .with_context(|| format!("import {} into {}", self.name, to.name))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// Whether a node has all of these.
pub(crate) fn has(node: &Node, names: &[String]) -> Result<bool> {
    let list = node::ctr(node, &["images", "list", "--quiet"])?;
    let has = |name: &String| {
        let whole = format!("{REGISTRY}/{name}");
        list.lines().any(|line| line == whole)
    };
    Ok(names.iter().all(has))
}

/// Busybox under every name that it has, twice: as an image, and as what a pod's first container runs.
pub(crate) fn of_busybox() -> Result<[Image; 2]> {
    let program = PathBuf::from(cargo::answer(Command::new("which").arg("busybox"))?);
    let root = work("busybox-root");
    let made = || -> Result<[Image; 2]> {
        for folder in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
            fs::create_dir_all(root.join(folder)).context("make an image's folder")?;
        }
        fs::copy(&program, root.join("bin/busybox"))
            .with_context(|| format!("copy {}", program.display()))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")
            .context("write passwd")?;
        for name in cargo::answer(Command::new(&program).arg("--list"))?.lines() {
            let link = root.join("bin").join(name);
            if link.symlink_metadata().is_err() {
                symlink("busybox", &link).with_context(|| format!("link {name}"))?;
            }
        }
        let sleep = ["/bin/sleep", FOR_EVER].map(str::to_owned);
        let shell = ["/bin/sh".to_owned()];
        Ok([
            Image::new(PAUSE, &root, &sleep)?,
            Image::new(BUSYBOX, &root, &shell)?,
        ])
    };
    let images = made();
    let _ = fs::remove_dir_all(&root);
    images
}

/// A folder that holds one program becomes an image that runs it.
pub(crate) fn of_program(name: &str, program: &Path) -> Result<Image> {
    let file = program
        .file_name()
        .context("a program has a name")?
        .to_string_lossy();
    let root = work("program-root");
    let made = || -> Result<Image> {
        fs::create_dir_all(&root).context("make an image's folder")?;
        fs::copy(program, root.join(&*file))
            .with_context(|| format!("copy {}", program.display()))?;
        Image::new(name, &root, &[format!("/{file}")])
    };
    let image = made();
    let _ = fs::remove_dir_all(&root);
    image
}

/// Where something of this name is made: one for each process of ours.
fn work(name: &str) -> PathBuf {
    let name = name.replace(['/', ':', '.'], "-");
    Path::new(STATE)
        .join("images")
        .join(format!("{name}-{}", std::process::id()))
}

fn tar(file: &Path, folder: &Path, options: &[&str], members: &[&str]) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(file);
    tar.args(["--numeric-owner", "--format=gnu"]).args(options);
    tar.arg("--directory").arg(folder).args(members);
    cargo::run(&mut tar).context("pack an image")
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_tag() {
        for name in ["demo", "demo:", ":1", "Demo:1", "a b:1"] {
            assert!(
                Image::new(name, Path::new("/no/such/folder"), &[]).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn two_images_are_made_in_two_places() {
        assert_ne!(work("localhost/a:1"), work("localhost/b:1"));
        assert_eq!(work("localhost/a:1").extension(), None);
    }
}
