//! A pod that a node's kubelet runs by itself, from a manifest in its folder; the API server only has a mirror of it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{Load, Namespace, Node, Pod};
use crate::ids;
use crate::wait::{PATIENCE, eventually};

/// Its manifest, which is removed when dropped; it is gone then, too.
pub struct StaticPod<'a> {
    /// What the mirror is called: its own name and its node's.
    pub name: String,
    manifest: PathBuf,
    namespace: &'a Namespace<'a>,
}

impl<'a> StaticPod<'a> {
    /// Puts one on a node. Its mirror is in this namespace.
    pub fn start(
        namespace: &'a Namespace<'a>,
        node: &Node,
        name: &str,
        load: &Load,
    ) -> Result<Self> {
        let manifest = format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {}}}
spec: {{terminationGracePeriodSeconds: 1, containers: [{}]}}
",
            namespace.name,
            load.container()?
        );
        let path = node.static_pods.join(format!("{}.yaml", ids::suffix()));
        // The kubelet takes no file with a dot at the beginning, so it never sees half of this one.
        let unfinished = node.static_pods.join(format!(".{}", ids::suffix()));
        let pod = Self {
            name: format!("{name}-{}", node.name),
            manifest: path,
            namespace,
        };
        fs::write(&unfinished, manifest)
            .and_then(|()| fs::rename(&unfinished, &pod.manifest))
            .with_context(|| format!("write {}", pod.manifest.display()))?;
        Ok(pod)
    }

    /// The mirror, once the pod runs.
    pub fn pod(&self) -> Result<Pod> {
        self.namespace
            .wait("Ready", &[&format!("pod/{}", self.name)])?;
        self.namespace.pod(&self.name)
    }
}

impl Drop for StaticPod<'_> {
    fn drop(&mut self) {
        // Without its namespace the pod would run on, so it goes first.
        let gone = fs::remove_file(&self.manifest)
            .with_context(|| format!("remove {}", self.manifest.display()))
            .and_then(|()| {
                eventually(PATIENCE, "the end of a static pod", || {
                    let found = self.namespace.pod(&self.name);
                    ensure!(found.is_err(), "{found:?}");
                    Ok(())
                })
            });
        if let Err(error) = gone {
            eprintln!("left behind: {error:#}");
        }
    }
}
