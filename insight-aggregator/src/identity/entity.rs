//! What the agent says of a cgroup becomes a name that lasts.

use std::collections::BTreeMap;
use std::sync::Arc;

use insight_proto::v1::Owner;

use crate::model::{Entity, EntityId, Kind};

/// Digits of a container id that people read and type; what `docker ps` and `crictl ps` print.
const SHORT_CONTAINER: usize = 12;
/// Digits of a pod's UID that tell pods apart for people.
const SHORT_POD: usize = 8;

/// Who `owner`, on the node named `node`, is. Never fails: what has no better name is named by its path, and what has no
/// path by its cgroup's number.
pub fn entity(owner: &Owner, node: &str) -> Entity {
    let (id, kind, name) = container_level(owner, node);
    let id: EntityId = Arc::from(id);
    let (pod, pod_kind, pod_name) = if owner.pod_uid.is_empty() {
        (Arc::clone(&id), kind, name.clone())
    } else {
        let id = Arc::from(format!("pod:{}", owner.pod_uid));
        (id, Kind::Pod, name_of_pod(&owner.pod_uid))
    };
    Entity {
        id,
        kind,
        name,
        pod,
        pod_kind,
        pod_name,
        namespace: String::new(),
        node: node.to_owned(),
        labels: labels(owner),
    }
}

/// Both ends of the flows that found no room in the flow map of this node's agent.
pub fn overflow(node: &str) -> Entity {
    let id: EntityId = Arc::from(format!("overflow:{node}"));
    let name = format!("flows without room on {node}");
    Entity {
        id: Arc::clone(&id),
        kind: Kind::Overflow,
        name: name.clone(),
        pod: id,
        pod_kind: Kind::Overflow,
        pod_name: name,
        namespace: String::new(),
        node: node.to_owned(),
        labels: BTreeMap::new(),
    }
}

/// The container level's id, kind and name. Node and path go into the id as they are: a node's name has no `/`, so the
/// first one ends it, whatever the path holds.
fn container_level(owner: &Owner, node: &str) -> (String, Kind, String) {
    if !owner.container_id.is_empty() {
        let id = format!("container:{}", owner.container_id);
        (
            id,
            Kind::Container,
            head(&owner.container_id, SHORT_CONTAINER),
        )
    } else if !owner.pod_uid.is_empty() {
        let id = format!("pod:{}", owner.pod_uid);
        (id, Kind::Pod, name_of_pod(&owner.pod_uid))
    } else if !owner.unit.is_empty() {
        let id = format!("unit:{node}/{}", owner.unit);
        (id, Kind::Unit, owner.unit.clone())
    } else if owner.path.is_empty() {
        let id = format!("cgroup:{node}#{}", owner.cgroup_id);
        (
            id,
            Kind::Cgroup,
            cgroup_process_name(&owner.process, &format!("cgroup {}", owner.cgroup_id)),
        )
    } else {
        let path = owner.path.trim_matches('/');
        let name = match path.rsplit('/').next() {
            Some(last) if !last.is_empty() => cgroup_process_name(&owner.process, last),
            // The root holds kernel threads and whatever nobody put elsewhere; its oldest process says nothing of it.
            _ => "host processes".to_owned(),
        };
        (format!("cgroup:{node}/{path}"), Kind::Cgroup, name)
    }
}

/// The name of a cgroup that is known by a process in it and by `place`, the end of its path.
fn cgroup_process_name(process: &str, place: &str) -> String {
    if process.is_empty() || process == place {
        place.to_owned()
    } else {
        format!("{process} ({place})")
    }
}

fn name_of_pod(uid: &str) -> String {
    format!("pod {}…", head(uid, SHORT_POD))
}

fn head(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// What else is known; `Node.labels` in `topology.proto` lists the keys.
fn labels(owner: &Owner) -> BTreeMap<String, String> {
    let is_pod = !owner.pod_uid.is_empty();
    let is_container = !owner.container_id.is_empty();
    [
        ("pod_uid", &owner.pod_uid, true),
        ("container_id", &owner.container_id, true),
        // "unknown" is said of everything that has none; only where there must be one does it tell something.
        ("runtime", &owner.runtime, is_container),
        ("qos", &owner.qos, is_pod),
        ("unit", &owner.unit, true),
        ("cgroup", &owner.path, true),
        ("process", &owner.process, true),
    ]
    .into_iter()
    .filter(|(_, value, applies)| *applies && !value.is_empty())
    .map(|(key, value, _)| (key.to_owned(), value.clone()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "3f0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd";
    const POD: &str = "dde1244b-5bb5-4297-b544-85f3bc0d80bf";

    fn owner(level: &str, path: &str) -> Owner {
        Owner {
            cgroup_id: 42,
            path: path.to_owned(),
            level: level.to_owned(),
            runtime: "unknown".to_owned(),
            qos: "unknown".to_owned(),
            ..Owner::default()
        }
    }

    /// Id, kind, name; then the same of the workload.
    fn told(owner: &Owner) -> [String; 6] {
        let entity = entity(owner, "n1");
        [
            entity.id.to_string(),
            entity.kind.as_str().to_owned(),
            entity.name,
            entity.pod.to_string(),
            entity.pod_kind.as_str().to_owned(),
            entity.pod_name,
        ]
    }

    #[test]
    fn a_pods_container_is_itself_and_its_pods() {
        let owner = Owner {
            container_id: CONTAINER.to_owned(),
            pod_uid: POD.to_owned(),
            runtime: "containerd".to_owned(),
            qos: "burstable".to_owned(),
            ..owner("container", "/kubepods/burstable/x/y")
        };
        let id = format!("container:{CONTAINER}");
        let pod = format!("pod:{POD}");
        assert_eq!(
            told(&owner),
            [
                &id,
                "container",
                "3f0123456789",
                &pod,
                "pod",
                "pod dde1244b…"
            ]
        );
        let labels = entity(&owner, "n1").labels;
        assert_eq!(labels["pod_uid"], POD);
        assert_eq!(labels["container_id"], CONTAINER);
        assert_eq!(labels["runtime"], "containerd");
        assert_eq!(labels["qos"], "burstable");
        assert_eq!(labels["cgroup"], "/kubepods/burstable/x/y");
        assert!(!labels.contains_key("unit") && !labels.contains_key("process"));
    }

    #[test]
    fn everything_has_a_name() {
        let container = format!("container:{CONTAINER}");
        let pod = format!("pod:{POD}");
        let with = |owner: Owner, change: fn(&mut Owner)| {
            let mut owner = owner;
            change(&mut owner);
            owner
        };
        let cases = [
            (
                with(owner("container", "/docker/x"), |o| {
                    o.container_id = CONTAINER.to_owned();
                }),
                (container.as_str(), "container", "3f0123456789"),
            ),
            (
                with(owner("pod", "/kubepods/x"), |o| o.pod_uid = POD.to_owned()),
                (pod.as_str(), "pod", "pod dde1244b…"),
            ),
            (
                with(owner("unit", "/system.slice/nginx.service"), |o| {
                    o.unit = "nginx.service".to_owned();
                }),
                ("unit:n1/nginx.service", "unit", "nginx.service"),
            ),
            (
                with(owner("cgroup", "/batch/job 7"), |o| {
                    o.process = "python3".to_owned();
                }),
                ("cgroup:n1/batch/job 7", "cgroup", "python3 (job 7)"),
            ),
            (
                owner("cgroup", "/batch"),
                ("cgroup:n1/batch", "cgroup", "batch"),
            ),
            (
                with(owner("cgroup", "/nginx"), |o| {
                    o.process = "nginx".to_owned();
                }),
                ("cgroup:n1/nginx", "cgroup", "nginx"),
            ),
            (
                with(owner("root", "/"), |o| o.process = "systemd".to_owned()),
                ("cgroup:n1/", "cgroup", "host processes"),
            ),
            (owner("cgroup", ""), ("cgroup:n1#42", "cgroup", "cgroup 42")),
            (
                with(owner("cgroup", ""), |o| o.process = "curl".to_owned()),
                ("cgroup:n1#42", "cgroup", "curl (cgroup 42)"),
            ),
        ];
        for (owner, (id, kind, name)) in cases {
            assert_eq!(told(&owner), [id, kind, name, id, kind, name], "{owner:?}");
        }
    }

    #[test]
    fn odd_text_is_kept_and_does_not_panic() {
        let owner = Owner {
            container_id: "é".to_owned(),
            ..owner("container", "/x")
        };
        assert_eq!(entity(&owner, "n1").name, "é");
        let owner = Owner {
            cgroup_id: 0,
            ..Owner::default()
        };
        assert_eq!(&*entity(&owner, "").id, "cgroup:#0");
    }
}
