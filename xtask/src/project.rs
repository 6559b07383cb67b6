//! Where the workspace and its build output are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;

/// The workspace, as cargo sees it.
pub(crate) struct Project {
    /// The folder of the workspace's Cargo.toml
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment or a config file has put it
    pub(crate) target: PathBuf,
    /// Integration tests of all crates, as (crate, test target)
    pub(crate) test_targets: Vec<(String, String)>,
}

impl Project {
    /// Asks `cargo metadata`.
    pub(crate) fn find() -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .with_context(|| format!("find the workspace at {}", root.display()))?;
        let output = cargo::command(&root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("run 'cargo metadata'")?;
        anyhow::ensure!(output.status.success(), "'cargo metadata' failed");
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .context("read the answer of 'cargo metadata'")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("'cargo metadata' names no target_directory")?;
        Ok(Self {
            target: target.into(),
            test_targets: test_targets(&metadata),
            root,
        })
    }

    /// Where cargo puts the programs of a profile.
    pub(crate) fn programs(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }
}

fn test_targets(metadata: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            if list(&target["kind"]).iter().any(|kind| kind == "test")
                && let (Some(package), Some(name)) =
                    (package["name"].as_str(), target["name"].as_str())
            {
                found.push((package.to_owned(), name.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_are_found_by_their_kind() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "targets": [{"name": "a", "kind": ["lib"]}, {"name": "pods", "kind": ["test"]}]},
            {"name": "b", "targets": [{"name": "b", "kind": ["bin"]}]},
        ]});
        assert_eq!(
            test_targets(&metadata),
            [("a".to_owned(), "pods".to_owned())]
        );
    }
}
