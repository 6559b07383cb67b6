//! Cassandra's jars, fetched once into a cache that all checkouts share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo;
use crate::cluster::cache;

/// A line of releases that is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Version {
    /// The newest
    #[default]
    #[value(name = "5.0")]
    V5,
    /// The one before
    #[value(name = "4.1")]
    V4,
}

impl Version {
    /// The release.
    fn release(self) -> &'static str {
        match self {
            Self::V5 => "5.0.6",
            Self::V4 => "4.1.10",
        }
    }

    /// What the users say.
    fn line(self) -> &'static str {
        match self {
            Self::V5 => "5.0",
            Self::V4 => "4.1",
        }
    }
}

/// A folder with the jars in `lib`, and the program `start`.
pub(crate) struct Home {
    /// Where it is
    pub(crate) folder: PathBuf,
}

impl Home {
    /// Finds it in the cache, or fetches the jars by Maven.
    pub(crate) fn obtain(version: Version) -> Result<Self> {
        // The tests' harness looks here.
        let folder = cache()?.join(format!("cassandra-{}", version.line()));
        let release = folder.join("release");
        if fs::read_to_string(&release).ok().as_deref() != Some(version.release()) {
            fetch(&folder, version.release())?;
            write(&release, version.release())?;
        }
        write(
            &folder.join("logback.xml"),
            include_str!("config/logback.xml"),
        )?;
        let start = folder.join("start");
        write(&start, include_str!("config/start"))?;
        fs::set_permissions(&start, fs::Permissions::from_mode(0o755))
            .context("make `start` a program")?;
        Ok(Self { folder })
    }
}

fn fetch(folder: &Path, release: &str) -> Result<()> {
    println!(
        "fetching Cassandra {release} by Maven into {}; this takes some seconds",
        folder.display()
    );
    let lib = folder.join("lib");
    if lib.exists() {
        fs::remove_dir_all(&lib).with_context(|| format!("remove {}", lib.display()))?;
    }
    write(
        &folder.join("pom.xml"),
        &include_str!("config/pom.xml").replace("{version}", release),
    )?;
    cargo::run(cargo::tool(folder, "mvn").args([
        "--quiet",
        "--batch-mode",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=lib",
    ]))
    .context("Maven cannot fetch Cassandra")
}

/// Renamed into its place, so that another process never sees half of it.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    fs::write(&unfinished, text).with_context(|| format!("write {}", unfinished.display()))?;
    fs::rename(&unfinished, path).with_context(|| format!("put {} in its place", path.display()))
}
