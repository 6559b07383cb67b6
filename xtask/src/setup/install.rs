//! Installs one thing, with the installer's own output as the progress.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::needs::Source;
use crate::cargo;
use crate::root::Root;

/// Installs, and remembers what need not be done twice.
pub(crate) struct Installer<'a> {
    root: &'a Path,
    apt_is_fresh: bool,
}

impl<'a> Installer<'a> {
    /// One for this run; `root` is the workspace, whose toolchain is meant.
    pub(crate) fn new(root: &'a Path) -> Self {
        Self {
            root,
            apt_is_fresh: false,
        }
    }

    /// Does it, or says why it cannot.
    pub(crate) fn install(&mut self, source: &Source) -> Result<()> {
        match source {
            Source::Rustup(component) => {
                cargo::run(cargo::tool(self.root, "rustup").args(["component", "add", component]))
                    .context("the toolchain does not come from rustup, or rustup cannot fetch")
            }
            Source::Cargo(name, version) => cargo::run(
                cargo::command(self.root)
                    // --force: another version may be there, perhaps not put there by cargo.
                    .args(["install", name, "--version", version, "--locked", "--force"])
                    // It is built in a folder of its own, with no flags that are meant for our crates.
                    .env_remove("CARGO_TARGET_DIR")
                    .env_remove("CARGO_BUILD_TARGET")
                    .env_remove("RUSTFLAGS"),
            ),
            Source::Apt(package) => self.apt(package),
            Source::ByHand(what) => bail!("{what}"),
        }
    }

    fn apt(&mut self, package: &str) -> Result<()> {
        if cargo::answer(cargo::tool(self.root, "apt-get").arg("--version")).is_err() {
            bail!(
                "there is no apt-get here: install '{package}' with this system's package manager"
            );
        }
        let root = Root::obtain(&format!("installing {package}"))?;
        let apt = |args: &[&str]| {
            // `env` rather than an inherited variable: sudo drops those.
            cargo::run(
                root.command("env", &[])
                    .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
                    .args(args),
            )
        };
        if !self.apt_is_fresh {
            apt(&["update"])?;
            self.apt_is_fresh = true;
        }
        apt(&["install", "--yes", "--no-install-recommends", package])
    }
}
