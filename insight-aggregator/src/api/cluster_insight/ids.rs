//! Ids: `TYPE:NAMESPACE/NAME`, or `TYPE:NAME` for what has no namespace.

use super::kinds::{self, CONTAINER, IMAGE};
use crate::kubernetes::object::{ApiKind, Container, Meta};

/// Of an object of the API.
pub(super) fn object(meta: &Meta) -> String {
    named(&meta.kind, &meta.namespace, &meta.name)
}

/// Of an object of the API that may not be there.
pub(super) fn named(kind: &ApiKind, namespace: &str, name: &str) -> String {
    join(kinds::of_object(kind), namespace, name)
}

/// Of anything with a name.
pub(super) fn join(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        format!("{kind}:{name}")
    } else {
        format!("{kind}:{namespace}/{name}")
    }
}

/// Of a container: its own once it has started, its place in the pod before.
pub(super) fn container(pod: &Meta, container: &Container) -> String {
    if container.id.is_empty() {
        let (namespace, pod, name) = (&pod.namespace, &pod.name, &container.name);
        format!("{CONTAINER}:{namespace}/{pod}/{name}")
    } else {
        format!("{CONTAINER}:{}", container.id)
    }
}

/// Of an image, by its digest.
pub(super) fn image(image_id: &str) -> String {
    format!("{IMAGE}:{image_id}")
}
