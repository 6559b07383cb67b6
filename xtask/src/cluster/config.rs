//! The configuration files beside this one, filled in.

use std::path::Path;

use anyhow::{Context, Result};

/// What a file of this folder says.
macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("config/", $name))
    };
}

pub(crate) const CNI: &str = template!("cni.conflist");
pub(crate) const CONTAINERD: &str = template!("containerd.toml");
pub(crate) const COREDNS: &str = template!("coredns.yaml");
pub(crate) const KUBECONFIG: &str = template!("kubeconfig.yaml");
pub(crate) const KUBELET: &str = template!("kubelet.yaml");
pub(crate) const NODE: &str = template!("node.yaml");

/// Puts values in the places of their names in braces.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_become_values() {
        let values = [("pods", "10.0.0.0/8"), ("pods-v6", "fd00::/48")];
        let text = fill(
            "{\"a\": [{\"subnet\": \"{pods}\"}], \"{pods-v6}\"}",
            &values,
        );
        assert_eq!(
            text,
            "{\"a\": [{\"subnet\": \"10.0.0.0/8\"}], \"fd00::/48\"}"
        );
    }
}
