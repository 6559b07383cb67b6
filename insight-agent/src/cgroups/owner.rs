//! A path's identity in the words of the wire.

use insight_proto::v1::Owner;

use super::parse::{Identity, Level};
use super::token::{Qos, Runtime};

/// The level on the wire: "container", "pod", "unit", "cgroup" or "root".
pub fn level(identity: &Identity) -> &'static str {
    match identity.level {
        Level::Root => "root",
        Level::Container => "container",
        Level::Pod => "pod",
        Level::System if identity.unit.is_some() => "unit",
        // A monitor keeps its pod's uid, but its work is not the pod's.
        Level::Conmon | Level::Kubepods | Level::System => "cgroup",
    }
}

/// The owner of cgroup `id` at `path`; `process` is left empty.
pub fn owner(id: u64, path: &str, identity: &Identity) -> Owner {
    Owner {
        cgroup_id: id,
        path: path.to_owned(),
        level: level(identity).to_owned(),
        pod_uid: identity.pod_uid.clone().unwrap_or_default(),
        container_id: identity.container_id.clone().unwrap_or_default(),
        runtime: identity.runtime.map_or("", Runtime::as_str).to_owned(),
        qos: identity.qos.map_or("", Qos::as_str).to_owned(),
        unit: identity.unit.clone().unwrap_or_default(),
        process: String::new(),
    }
}

/// The owner of a cgroup that is gone and that nobody saw while it was there.
pub fn unknown(id: u64) -> Owner {
    Owner {
        cgroup_id: id,
        level: "cgroup".to_owned(),
        ..Owner::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroups::parse;

    #[test]
    fn levels_on_the_wire() {
        let id = "a".repeat(64);
        for (path, expected) in [
            ("/".to_owned(), "root"),
            ("/system.slice/a.service".to_owned(), "unit"),
            ("/system.slice".to_owned(), "cgroup"),
            ("/kubepods".to_owned(), "cgroup"),
            (format!("/docker/{id}"), "container"),
            (format!("/libpod-conmon-{id}.scope"), "cgroup"),
        ] {
            let owner = owner(7, &path, &parse(&path));
            assert_eq!(owner.level, expected, "{path}");
            assert_eq!((owner.cgroup_id, owner.path.as_str()), (7, path.as_str()));
        }
        assert_eq!(unknown(9).path, "");
    }
}
