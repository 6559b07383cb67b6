//! Kernels in a cache: what was fetched once is not fetched again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::apt::Apt;
use super::kernels::{Kernel, MODULES};
use super::modules;
use super::pick;
use crate::cargo;

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// Its series
    pub(crate) kernel: &'static Kernel,
    /// Its full version
    pub(crate) version: String,
    folder: PathBuf,
}

/// Where the cache says what it holds: the version and the modules. Written last, so that it stands for a whole kernel.
const STAMP: &str = "complete";

impl Fetched {
    /// The kernel's image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Its modules, decompressed, in the order in which they can be loaded.
    pub(crate) fn modules(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("modules");
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        Ok(files)
    }

    fn cached(cache: &Path, kernel: &'static Kernel) -> Option<Self> {
        let folder = cache.join(kernel.name);
        let stamp = std::fs::read_to_string(folder.join(STAMP)).ok()?;
        let (version, with) = stamp.trim_end().split_once(' ')?;
        (with == MODULES.join(" ")).then(|| Self {
            kernel,
            version: version.to_owned(),
            folder,
        })
    }
}

/// Gives each kernel from the cache, or fetches it, or says why it is not to be had.
pub(crate) fn all(
    cache: &Path,
    kernels: &[&'static Kernel],
) -> Vec<(&'static Kernel, Result<Fetched>)> {
    let missing = |kernel: &&'static Kernel| Fetched::cached(cache, kernel).is_none();
    let absent: Vec<&'static Kernel> = kernels.iter().copied().filter(missing).collect();
    let apt = (!absent.is_empty()).then(|| {
        println!("vm: fetching lists of Debian's kernels");
        let suites = absent.iter().flat_map(|kernel| kernel.suites);
        Apt::new(cache.join("apt"), suites.copied())
    });
    let give = |kernel: &'static Kernel| match (Fetched::cached(cache, kernel), &apt) {
        (Some(fetched), _) => {
            println!(
                "vm: {} is in {}, which can be removed to get a newer one",
                fetched.version,
                fetched.folder.display()
            );
            Ok(fetched)
        }
        (None, Some(Ok(apt))) => fetch(apt, cache, kernel),
        (None, Some(Err(error))) => bail!("{error:#}"),
        (None, None) => bail!("it is not in the cache any more"),
    };
    kernels
        .iter()
        .map(|kernel| (*kernel, give(kernel)))
        .collect()
}

fn fetch(apt: &Apt, cache: &Path, kernel: &'static Kernel) -> Result<Fetched> {
    let names = apt.names("linux-")?;
    let choice = pick::newest(&names, kernel.series)
        .with_context(|| format!("no Linux {} in {}", kernel.name, kernel.suites.join(", ")))?;
    println!("vm: fetching {} ({})", choice.version, kernel.why);
    let folder = cache.join(kernel.name);
    let work = cache.join(format!("{}.work", kernel.name));
    for old in [&folder, &work] {
        if old.exists() {
            std::fs::remove_dir_all(old).with_context(|| format!("remove {}", old.display()))?;
        }
    }
    std::fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    apt.download(&choice.packages, &work)?;
    let tree = work.join("tree");
    for package in with_ending(&work, ".deb")? {
        cargo::run(Command::new("dpkg-deb").arg("-x").args([&package, &tree]))?;
    }
    let fetched = Fetched {
        kernel,
        version: choice.version,
        folder,
    };
    let ready = work.join("ready");
    modules::extract(&tree, &fetched.version, &ready.join("modules"))?;
    std::fs::copy(image(&tree, &fetched.version)?, ready.join("vmlinuz"))
        .context("copy the kernel's image")?;
    let stamp = format!("{} {}\n", fetched.version, MODULES.join(" "));
    std::fs::write(ready.join(STAMP), stamp).context("write the cache's stamp")?;
    std::fs::rename(&ready, &fetched.folder)
        .with_context(|| format!("make {}", fetched.folder.display()))?;
    std::fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
    Ok(fetched)
}

fn with_ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    ensure!(!found.is_empty(), "no *{ending} in {}", folder.display());
    Ok(found)
}

/// Where the packages have it: since 6.19 beside the modules.
fn image(tree: &Path, version: &str) -> Result<PathBuf> {
    let places = [
        tree.join(format!("boot/vmlinuz-{version}")),
        tree.join(format!("usr/lib/modules/{version}/vmlinuz")),
    ];
    let found = places.iter().find(|place| place.is_file());
    found
        .cloned()
        .with_context(|| format!("the packages have none of {places:?}"))
}
