//! What tells containers' series apart.

use crate::kubernetes::Index;
use crate::kubernetes::index::Person;
use crate::model::{Entity, Kind};

/// cAdvisor has all of the first six always, empty where unknown.
pub(super) type Labels<'a> = [(&'static str, &'a str); 8];

/// The names of Kubernetes where it knows them, else what the agent found. As cAdvisor has it, a pod itself and its sandbox have no `container`.
pub(super) fn labels<'a>(entity: &'a Entity, index: &'a Index) -> Labels<'a> {
    let label = |name: &str| entity.labels.get(name).map_or("", String::as_str);
    let in_pod = entity.pod_kind == Kind::Pod;
    let person = in_pod.then(|| index.pod(label("pod_uid"))).flatten();
    let [container, image, namespace, pod] = match person {
        Some(person) => {
            let [container, image] = container(person, label("container_id"), index);
            [container, image, &person.meta.namespace, &person.meta.name]
        }
        None => {
            let is_container = entity.kind == Kind::Container;
            let container = if is_container { &entity.name } else { "" };
            let pod = if in_pod { &entity.pod_name } else { "" };
            [container, "", &entity.namespace, pod]
        }
    };
    let cgroup = Some(label("cgroup")).filter(|cgroup| !cgroup.is_empty());
    [
        ("container", container),
        ("id", cgroup.unwrap_or(&entity.id)),
        ("image", image),
        ("name", label("container_id")),
        ("namespace", namespace),
        ("pod", pod),
        ("node", &entity.node),
        ("unit", label("unit")),
    ]
}

/// Name and image of a pod's container with this id; nothing of its sandbox, which the API does not tell of.
fn container<'a>(person: Person<'a>, id: &str, index: &'a Index) -> [&'a str; 2] {
    let name = match id {
        "" => None,
        id => index.container_name(person, id),
    };
    let Some(name) = name else {
        return ["", ""];
    };
    let mut containers = person.pod.containers.iter();
    let image = containers
        .find(|container| container.name == *name)
        .map_or("", |container| &container.image);
    [name, image]
}

#[cfg(test)]
mod tests {
    use insight_proto::v1::Owner;

    use super::*;
    use crate::identity;
    use crate::kubernetes::testing;

    fn seen(pod: &str, container: &str) -> Entity {
        let owner = Owner {
            pod_uid: pod.to_owned(),
            container_id: container.to_owned(),
            path: format!("/kubepods/{pod}/{container}"),
            ..Owner::default()
        };
        identity::entity(&owner, "n1")
    }

    /// Labels container, image, name, namespace, pod and node.
    fn told(entity: &Entity, index: &Index) -> [String; 6] {
        let labels = labels(entity, index);
        [0, 2, 3, 4, 5, 6].map(|at| labels[at].1.to_owned())
    }

    #[test]
    fn kubernetes_names_a_pod_its_containers_and_nobody_else() {
        let mut index = Index::default();
        index.put(testing::pod("web", "n1", &["10.0.0.1"]), 0);
        let main = ["main", "shop/main:1", "web1", "shop", "web", "n1"];
        assert_eq!(told(&seen("uid-web", "web1"), &index), main);
        let sandbox = ["", "", "sandbox", "shop", "web", "n1"];
        assert_eq!(told(&seen("uid-web", "sandbox"), &index), sandbox);
        let whole = ["", "", "", "shop", "web", "n1"];
        assert_eq!(told(&seen("uid-web", ""), &index), whole);
        let unknown = ["other1", "", "other1", "", "pod uid-othe…", "n1"];
        assert_eq!(told(&seen("uid-other", "other1"), &index), unknown);
        assert_eq!(told(&seen("", "alone"), &index)[0], "alone");
    }

    #[test]
    fn a_container_that_was_restarted_keeps_its_name() {
        let mut index = Index::default();
        let pod = testing::pod("web", "n1", &["10.0.0.1"]);
        index.put(pod.clone(), 0);
        let restarted = testing::with_pod(pod, |pod| {
            pod.containers[0].id = "containerd://web2".into();
        });
        index.put(restarted, 1);
        let before = ["main", "shop/main:1", "web1", "shop", "web", "n1"];
        assert_eq!(told(&seen("uid-web", "web1"), &index), before);
    }
}
