//! An apt of our own, in a folder: its lists and downloads change nothing of the machine's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::sources::Mirrors;
use crate::cargo;

/// The private apt.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Makes it, knowing these suites at the machine's own mirrors, and fetches their lists. A suite that is not to be had is
    /// shown by apt, and its kernels will be missing.
    pub(crate) fn new<'a>(
        folder: PathBuf,
        suites: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let texts = machine_sources()?;
        let Some(mirrors) = Mirrors::find(&texts) else {
            bail!(
                "this machine's apt sources name no mirror of Debian, which the kernels come from"
            );
        };
        for below in ["state/lists/partial", "cache/archives/partial"] {
            let path = folder.join(below);
            std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        }
        let apt = Self { folder };
        std::fs::write(apt.list(), mirrors.list(suites))
            .with_context(|| format!("write {}", apt.list().display()))?;
        if let Err(error) = cargo::run(apt.command("apt-get").args(["--quiet=2", "update"])) {
            println!("vm: not every list of packages is here: {error:#}");
        }
        Ok(apt)
    }

    fn list(&self) -> PathBuf {
        self.folder.join("sources.list")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let set = |name: &str, value: &Path| format!("--option={name}={}", value.display());
        command.args([
            set("Dir::State", &self.folder.join("state")),
            set("Dir::Cache", &self.folder.join("cache")),
            set("Dir::Etc::SourceList", &self.list()),
            set("Dir::Etc::SourceParts", Path::new("/dev/null")),
        ]);
        // A mirror that does not answer is none.
        for kind in ["http", "https"] {
            command.arg(format!("--option=Acquire::{kind}::Timeout=20"));
        }
        command.arg("--option=Acquire::Retries=1");
        command
    }

    /// Names of packages that begin so.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let answer = cargo::answer(self.command("apt-cache").args(["pkgnames", prefix]))?;
        Ok(answer.lines().map(str::to_owned).collect())
    }

    /// Downloads packages into a folder; apt checks their hashes against the signed lists.
    pub(crate) fn download(&self, packages: &[String], into: &Path) -> Result<()> {
        cargo::run(
            self.command("apt-get")
                .args(["--quiet=1", "download"])
                .args(packages)
                .current_dir(into),
        )
    }
}

/// The texts of the machine's own sources files.
fn machine_sources() -> Result<Vec<String>> {
    let answer = cargo::answer(Command::new("apt-config").args([
        "shell",
        "LIST",
        "Dir::Etc::sourcelist/f",
        "PARTS",
        "Dir::Etc::sourceparts/d",
    ]))
    .context("there is no apt here, with which the kernels are fetched")?;
    let mut files: Vec<PathBuf> = shell_value(&answer, "LIST").into_iter().collect();
    if let Some(parts) = shell_value(&answer, "PARTS") {
        let entries = std::fs::read_dir(&parts).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        found.retain(|path| {
            path.extension()
                .is_some_and(|kind| kind == "list" || kind == "sources")
        });
        found.sort();
        files.extend(found);
    }
    Ok(files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .collect())
}

/// The value in a line `NAME='value'`.
fn shell_value(text: &str, name: &str) -> Option<PathBuf> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('\'').into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_config_says_is_read() {
        let text = "LIST='/etc/apt/sources.list'\nPARTS='/etc/apt/sources.list.d/'";
        assert_eq!(
            shell_value(text, "PARTS"),
            Some(PathBuf::from("/etc/apt/sources.list.d/"))
        );
        assert_eq!(shell_value(text, "PART"), None);
    }
}
