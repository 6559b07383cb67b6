//! Objects for tests of what is kept.

use crate::kubernetes::object::{
    ApiKind, Backend, Body, Container, ContainerPort, ContainerRole, EndpointSlice, EndpointsPort,
    Node, Object, Phase, Pod, Related, Relation, Service, ServicePort, ServiceType, Target,
    TargetPort, Workload,
};
use crate::kubernetes::testing::{labels, object, of, owner, pod, with_pod};
use crate::model::Protocol;

/// One of each body, with every field set.
pub(crate) fn every_body() -> Vec<Object> {
    let body = |body| object(ApiKind::Other("A.b".into()), "shop", "x", body);
    let roles = [
        ContainerRole::Main,
        ContainerRole::Init,
        ContainerRole::Sidecar,
        ContainerRole::Ephemeral,
    ];
    let container = |role| Container {
        name: "c".into(),
        role,
        image: "registry/shop:1".into(),
        image_id: "sha256:2".into(),
        id: "containerd://3".into(),
        last_id: "containerd://4".into(),
        restarts: 5,
        ready: true,
        state: "waiting: CrashLoopBackOff".into(),
        ports: Box::new([ContainerPort {
            name: "dns".into(),
            port: 53,
            host_port: 65_535,
            protocol: Protocol::Udp,
        }]),
    };
    let phases = [
        Phase::Pending,
        Phase::Running,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Unknown,
    ];
    let pods = phases.into_iter().map(|phase| {
        Body::Pod(Box::new(Pod {
            node: "n1".into(),
            phase,
            ready: true,
            addresses: Box::new(["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]),
            host_network: phase == Phase::Failed,
            node_uid: (phase != Phase::Pending).then(|| "hash".into()),
            started: (phase != Phase::Pending).then_some(0),
            ended: (phase == Phase::Failed).then_some(9),
            containers: roles.into_iter().map(container).collect(),
            claims: Box::new(["data".into()]),
        }))
    });
    let node = Body::Node(Box::new(Node {
        addresses: Box::new(["fd00::2".parse().unwrap()]),
        zone: "a".into(),
        pod_ranges: Box::new(["10.0.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()]),
        ready: false,
        unschedulable: true,
        kubelet_port: 10_250,
        kubelet_version: "v1.36.3".into(),
        kernel: "6.18".into(),
    }));
    let types = [
        ServiceType::ClusterIp,
        ServiceType::NodePort,
        ServiceType::LoadBalancer,
        ServiceType::ExternalName,
    ];
    let services = types.into_iter().map(|service_type| {
        let port = |target| ServicePort {
            name: "web".into(),
            port: 80,
            target,
            node_port: 30_000,
            protocol: Protocol::Tcp,
        };
        Body::Service(Box::new(Service {
            service_type,
            cluster_addresses: Box::new(["10.96.0.1".parse().unwrap()]),
            external_addresses: Box::new(["192.0.2.1".parse().unwrap()]),
            external_name: "example.com".into(),
            // One that selects everything is not one that selects nothing.
            selector: (service_type != ServiceType::ClusterIp).then(|| {
                labels(if service_type == ServiceType::NodePort {
                    &[]
                } else {
                    &["a=b"]
                })
            }),
            ports: Box::new([
                port(TargetPort::Number(8080)),
                port(TargetPort::Number(0)),
                port(TargetPort::Name("".into())),
            ]),
        }))
    });
    let slice = Body::EndpointSlice(Box::new(EndpointSlice {
        service: "web".into(),
        ports: Box::new([EndpointsPort {
            name: "web".into(),
            port: 8080,
            protocol: Protocol::Udp,
        }]),
        backends: Box::new([
            Backend {
                addresses: Box::new(["10.0.0.1".parse().unwrap()]),
                ready: true,
                target: Some(owner(ApiKind::Pod, "web-1")),
                node: "n1".into(),
            },
            Backend {
                addresses: Box::default(),
                ready: false,
                target: None,
                node: "".into(),
            },
        ]),
    }));
    let workload = Body::Workload(Box::new(Workload {
        replicas: u32::MAX,
        ready: 1,
        selector: Some(labels(&["a=b", "c=d"])),
        images: Box::new(["shop:1".into(), "shop:2".into()]),
        generation: i64::MAX,
    }));
    let relations = [Relation::Routes, Relation::BindsTo, Relation::Scales];
    let related = Body::Related(Box::new(Related {
        targets: relations
            .into_iter()
            .map(|relation| Target {
                relation,
                kind: ApiKind::Service,
                namespace: "shop".into(),
                name: "web".into(),
            })
            .collect(),
        selector: Some(labels(&[])),
    }));
    let others = [node, slice, workload, related, Body::Plain];
    pods.chain(services).chain(others).map(body).collect()
}

/// Texts that nobody expects.
pub(crate) fn hostile() -> Vec<String> {
    vec![
        String::new(),
        "\"; DROP TABLE names; --".into(),
        "a\0b\\'\n\r\t\u{1b}[31m".into(),
        "дом, 家, 🏠, e\u{301}, \u{202e}rtl, \u{feff}".into(),
        "x".repeat(10 << 10),
        "\u{10ffff}".repeat(2_560),
    ]
}

/// A pod as most are: a main container and a sidecar, five labels, long names and ids that no other pod has.
pub(crate) fn realistic_pod(n: u64) -> Object {
    let mut seed = n;
    let mut hex = |digits: usize| -> String {
        let mut text = String::new();
        while text.len() < digits {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:08x}", seed >> 32));
        }
        text.truncate(digits);
        text
    };
    let (workload, node) = (n % 100, n % 50);
    let (hash, own) = (format!("6d4cf56d{workload:02}"), hex(5));
    let name = format!("checkout-service-{workload}-{hash}-{own}");
    let address = format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    let mut made = pod(&name, &format!("ip-10-0-{node}-17.internal"), &[&address]);
    made.meta.uid = format!("{}-{}-4{}-a{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12)).into();
    made.meta.created = 1_700_000_000_000 + i64::try_from(n).unwrap() * 1000;
    made.meta.labels = labels(&[
        &format!("app.kubernetes.io/name=checkout-service-{workload}"),
        "app.kubernetes.io/part-of=shop",
        "app.kubernetes.io/version=1.42.0",
        "team=payments",
        &format!("pod-template-hash={hash}"),
    ]);
    let set = format!("checkout-service-{workload}-{hash}");
    let made = of(made, owner(ApiKind::ReplicaSet, &set));
    with_pod(made, |pod| {
        let mut sidecar = pod.containers[0].clone();
        for (container, name) in pod
            .containers
            .iter_mut()
            .chain([&mut sidecar])
            .zip(["main", "proxy"])
        {
            container.name = name.into();
            container.image = format!("registry.example.com/shop/{name}:1.42.{workload}").into();
            container.image_id =
                format!("registry.example.com/shop/{name}@sha256:{workload:064x}").into();
            container.id = format!("containerd://{}", hex(64)).into();
        }
        pod.containers = Box::new([pod.containers[0].clone(), sidecar]);
    })
}
