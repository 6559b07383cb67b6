//! Calls of cargo and of the tools it installs, all in the same environment.
//!
//! Cargo rebuilds a crate whose build script watches a variable that has changed. So every verb goes through here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What `cargo run` sets for xtask itself, which says nothing about the crates that xtask builds.
const OF_XTASK: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// A call of the pinned cargo, in the workspace's root.
pub(crate) fn command(root: &Path) -> Command {
    // Not $CARGO, which names the toolchain's own cargo: rustup's proxy also sets up what `rustc` and subcommands need.
    let mut cargo = tool(root, "cargo");
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in inherited {
        if name.starts_with("CARGO_PKG_") || OF_XTASK.contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// A call of any other program, in the workspace's root, with cargo's own bin folder on the search path.
pub(crate) fn tool(root: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).env("PATH", search_path());
    command
}

/// PATH, and after it the folder into which `cargo install` puts programs: a rustup from a distribution does not add it.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Some(bin) = install_folder()
        && !folders.contains(&bin)
    {
        folders.push(bin);
    }
    std::env::join_paths(folders).unwrap_or(path)
}

fn install_folder() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("bin"))
}

/// Runs to the end with its output shown; an error names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("run '{shown}'"))?;
    ensure!(status.success(), "'{shown}' failed ({status})");
    Ok(())
}

/// What a program answers on stdout; an error when it cannot be run or fails.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("run '{shown}'"))?;
    ensure!(
        output.status.success(),
        "'{shown}' failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}
