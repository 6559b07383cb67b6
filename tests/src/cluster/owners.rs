//! Kinds that Kubernetes does not have by itself, and objects of them that own others.

use anyhow::{Context, Result};

use super::{Cluster, Namespace};
use crate::ids;

/// Kinds `Nest` and `Bird` of a group of a test's own; removed with all their objects when dropped.
pub struct Kinds<'a> {
    /// Their group.
    pub group: String,
    cluster: &'a Cluster,
}

/// An object of one of them.
pub struct Owner {
    kind: &'static str,
    name: &'static str,
    uid: String,
}

impl<'a> Kinds<'a> {
    /// Makes them, and waits until the API server has them.
    pub fn new(cluster: &'a Cluster, namespace: &Namespace) -> Result<Self> {
        let kinds = Self {
            group: format!("test-{}.insight.example", ids::suffix()),
            cluster,
        };
        for (kind, plural) in [("Nest", "nests"), ("Bird", "birds")] {
            let group = &kinds.group;
            let schema = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
            namespace.apply(&format!(
                "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {schema}}}}}]
"
            ))?;
            namespace.wait("Established", &[&format!("crd/{plural}.{group}")])?;
        }
        Ok(kinds)
    }

    /// Makes an object, whose controller another one is, with a label `made-by: test`.
    pub fn make(
        &self,
        namespace: &Namespace,
        kind: &'static str,
        name: &'static str,
        controller: Option<&Owner>,
    ) -> Result<Owner> {
        let owners = controller.map_or(String::new(), |owner| self.reference(owner));
        namespace.apply(&format!(
            "
apiVersion: {}/v1
kind: {kind}
metadata: {{name: {name}, labels: {{made-by: test}}{owners}}}
",
            self.group
        ))?;
        let what = format!("{}.{}/{name}", kind.to_lowercase(), self.group);
        let object = namespace.get(&[&what])?;
        let uid = object["metadata"]["uid"].as_str().context("no UID")?;
        Ok(Owner {
            kind,
            name,
            uid: uid.to_owned(),
        })
    }

    /// What the metadata of an owner's object has more, after a comma.
    pub fn reference(&self, owner: &Owner) -> String {
        let Owner { kind, name, uid } = owner;
        let group = &self.group;
        format!(
            ", ownerReferences: [{{apiVersion: {group}/v1, kind: {kind}, name: {name}, uid: {uid}, controller: true}}]"
        )
    }
}

impl Drop for Kinds<'_> {
    fn drop(&mut self) {
        for plural in ["nests", "birds"] {
            let name = format!("crd/{plural}.{}", self.group);
            if let Err(error) = self.cluster.kubectl(&["delete", &name, "--wait=false"]) {
                eprintln!("left behind: {error:#}");
            }
        }
    }
}
