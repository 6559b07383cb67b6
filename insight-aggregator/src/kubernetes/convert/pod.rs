//! Pods and their containers.

use k8s_openapi::api::core::v1 as api;

use super::{addresses, count, meta, millis, port, protocol, text};
use crate::kubernetes::object::{
    ApiKind, Body, Container, ContainerPort, ContainerRole, Object, Phase, Pod, Text, Texts,
};
use crate::model::UnixMs;

/// What a static pod's cgroup is called by: of the pod that mirrors it in the API, and of itself.
const NODE_UIDS: [&str; 2] = ["kubernetes.io/config.mirror", "kubernetes.io/config.hash"];

/// What is kept of a pod.
pub fn pod(of: &api::Pod, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::Pod, &of.metadata, texts);
    let default = api::PodStatus::default();
    let status = of.status.as_ref().unwrap_or(&default);
    let spec = of.spec.as_ref();
    let phase = phase(status.phase.as_deref());
    let annotations = of.metadata.annotations.as_ref();
    let node_uid = annotations
        .and_then(|all| NODE_UIDS.iter().find_map(|name| all.get(*name)))
        .filter(|uid| **uid != *meta.uid)
        .map(|uid| texts.intern(uid));
    let mut conditions = status.conditions.iter().flatten();
    let pod = Pod {
        node: text(texts, spec.and_then(|spec| spec.node_name.as_deref())),
        phase,
        ready: conditions.any(|one| one.type_ == "Ready" && one.status == "True"),
        addresses: match status.pod_ips.as_deref() {
            Some(all @ [_, ..]) => addresses(all.iter().map(|one| one.ip.as_str())),
            _ => addresses(status.pod_ip.as_deref()),
        },
        host_network: spec.and_then(|spec| spec.host_network) == Some(true),
        node_uid,
        started: status.start_time.as_ref().map(millis),
        ended: ended(phase, status),
        containers: spec.map_or_else(Box::default, |spec| containers(spec, status, texts)),
        claims: spec.map_or_else(Box::default, |spec| claims(spec, &meta.name, texts)),
    };
    Object {
        meta,
        body: Body::Pod(Box::new(pod)),
    }
}

fn phase(name: Option<&str>) -> Phase {
    [
        Phase::Pending,
        Phase::Running,
        Phase::Succeeded,
        Phase::Failed,
    ]
    .into_iter()
    .find(|phase| Some(phase.as_str()) == name)
    .unwrap_or_default()
}

/// When the last container ended, where all are known to have. A pod that failed because its node is lost has containers that
/// may still run, and one whose end nobody saw (`ContainerStatusUnknown`) has no time.
fn ended(phase: Phase, status: &api::PodStatus) -> Option<UnixMs> {
    if !matches!(phase, Phase::Succeeded | Phase::Failed) {
        return None;
    }
    let mut last = None;
    for container in statuses(status) {
        let state = container.state.as_ref();
        match state.and_then(|state| state.terminated.as_ref()) {
            Some(terminated) => {
                let whole_second = millis(terminated.finished_at.as_ref()?);
                last = last.max(Some(whole_second + 1_000));
            }
            None if state.is_some_and(|state| state.running.is_some()) => return None,
            // It waits, and will not start any more.
            None => {}
        }
    }
    last
}

fn statuses(status: &api::PodStatus) -> impl Iterator<Item = &api::ContainerStatus> {
    [
        &status.init_container_statuses,
        &status.container_statuses,
        &status.ephemeral_container_statuses,
    ]
    .into_iter()
    .flatten()
    .flatten()
}

fn containers(spec: &api::PodSpec, status: &api::PodStatus, texts: &mut Texts) -> Box<[Container]> {
    let init = spec.init_containers.iter().flatten().map(|of| {
        let is_sidecar = of.restart_policy.as_deref() == Some("Always");
        let role = if is_sidecar {
            ContainerRole::Sidecar
        } else {
            ContainerRole::Init
        };
        let ports = of.ports.as_deref();
        (role, of.name.as_str(), of.image.as_deref(), ports)
    });
    let main = spec.containers.iter().map(|of| {
        let ports = of.ports.as_deref();
        let image = of.image.as_deref();
        (ContainerRole::Main, of.name.as_str(), image, ports)
    });
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|of| {
        let ports = of.ports.as_deref();
        let image = of.image.as_deref();
        (ContainerRole::Ephemeral, of.name.as_str(), image, ports)
    });
    init.chain(main)
        .chain(ephemeral)
        .map(|(role, name, image, ports)| {
            let seen = statuses(status).find(|seen| seen.name == name);
            let last = seen.and_then(|seen| seen.last_state.as_ref()?.terminated.as_ref());
            Container {
                name: texts.intern(name),
                role,
                image: text(texts, image),
                image_id: text(texts, seen.map(|seen| seen.image_id.as_str())),
                id: id(seen.and_then(|seen| seen.container_id.as_deref())),
                last_id: id(last.and_then(|last| last.container_id.as_deref())),
                restarts: count(seen.map(|seen| seen.restart_count)),
                ready: seen.is_some_and(|seen| seen.ready),
                state: state(seen.and_then(|seen| seen.state.as_ref()), texts),
                ports: container_ports(ports.unwrap_or_default(), texts),
            }
        })
        .collect()
}

fn id(id: Option<&str>) -> Box<str> {
    id.unwrap_or_default().into()
}

fn state(of: Option<&api::ContainerState>, texts: &mut Texts) -> Text {
    let (name, reason) = match of {
        Some(api::ContainerState {
            terminated: Some(terminated),
            ..
        }) => ("terminated", terminated.reason.as_deref()),
        Some(api::ContainerState {
            running: Some(_), ..
        }) => ("running", None),
        Some(api::ContainerState {
            waiting: Some(waiting),
            ..
        }) => ("waiting", waiting.reason.as_deref()),
        _ => ("", None),
    };
    match reason {
        Some(reason) if !reason.is_empty() => texts.intern(&format!("{name}: {reason}")),
        _ => texts.intern(name),
    }
}

fn container_ports(of: &[api::ContainerPort], texts: &mut Texts) -> Box<[ContainerPort]> {
    of.iter()
        .filter_map(|of| {
            Some(ContainerPort {
                name: text(texts, of.name.as_deref()),
                port: port(Some(of.container_port)),
                host_port: port(of.host_port),
                protocol: protocol(of.protocol.as_deref())?,
            })
        })
        .collect()
}

fn claims(spec: &api::PodSpec, pod: &str, texts: &mut Texts) -> Box<[Text]> {
    let volumes = spec.volumes.iter().flatten();
    volumes
        .filter_map(|volume| match &volume.persistent_volume_claim {
            Some(claim) => Some(texts.intern(&claim.claim_name)),
            // The claim of a generic ephemeral volume is made for the pod, by this name.
            None => volume
                .ephemeral
                .as_ref()
                .map(|_| texts.intern(&format!("{pod}-{}", volume.name))),
        })
        .collect()
}
