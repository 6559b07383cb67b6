use serde_json::{Value, json};

use super::*;

fn named(more: Value) -> Value {
    let mut object = json!({"metadata": {"name": "a", "namespace": "shop", "uid": "u"}});
    let (Value::Object(all), Value::Object(more)) = (&mut object, more) else {
        panic!("an object");
    };
    all.extend(more);
    object
}

#[track_caller]
fn related(object: Object) -> Related {
    match object.body {
        Body::Related(related) => *related,
        other => panic!("{other:?}"),
    }
}

fn target(relation: Relation, kind: ApiKind, namespace: &str, name: &str) -> Target {
    Target {
        relation,
        kind,
        namespace: namespace.into(),
        name: name.into(),
    }
}

#[test]
fn an_http_route_leads_to_services_of_any_namespace() {
    let route = named(json!({"spec": {"rules": [
        {"backendRefs": [{"name": "web", "port": 80}, {"name": "web"}, {"name": "api", "namespace": "back", "kind": "Service", "group": ""}]},
        {"backendRefs": [{"name": "bucket", "kind": "Bucket", "group": "example.com"}]},
        {"matches": []},
    ]}}));
    let route = serde_json::from_value(route).unwrap();
    let object = http_route(&route, &mut Texts::default());
    assert_eq!(object.meta.kind, ApiKind::http_route());
    let of_service = |space, name| target(Relation::Routes, ApiKind::Service, space, name);
    let expected = [of_service("back", "api"), of_service("shop", "web")];
    assert_eq!(*related(object).targets, expected);
}

#[test]
fn a_node_has_addresses_zone_and_state() {
    let text = json!({
        "metadata": {"name": "node-a", "uid": "n1",
            "labels": {"topology.kubernetes.io/zone": "eu-1a", "failure-domain.beta.kubernetes.io/zone": "old"}},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"], "unschedulable": true},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "10.9.9.9"},
                {"type": "ExternalIP", "address": "198.51.100.7"},
                {"type": "InternalIP", "address": "192.168.0.11"},
                {"type": "InternalIP", "address": "fd00::11"}
            ],
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {"architecture": "amd64", "bootID": "", "containerRuntimeVersion": "containerd://2.1", "kernelVersion": "6.18.1",
                "kubeProxyVersion": "", "kubeletVersion": "v1.36.0", "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": ""}
        }
    });
    let object = converted(node, text);
    assert_eq!(
        (&*object.meta.namespace, &*object.meta.name),
        ("", "node-a")
    );
    let Body::Node(node) = object.body else {
        panic!("a node");
    };
    let addresses: Vec<String> = node.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.168.0.11", "fd00::11", "198.51.100.7"]);
    assert_eq!(&*node.zone, "eu-1a");
    let ranges: Vec<String> = node.pod_ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.244.1.0/24", "fd00:1::/64"]);
    assert!(node.ready && node.unschedulable);
    assert_eq!(node.kubelet_port, 10250);
    assert_eq!(
        (&*node.kubelet_version, &*node.kernel),
        ("v1.36.0", "6.18.1")
    );
}

#[test]
fn an_ingress_routes_to_each_service_once() {
    let path = |name: &str| json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}});
    let bucket = json!({"path": "/s", "pathType": "Prefix", "backend": {"resource": {"apiGroup": "x", "kind": "Bucket", "name": "b"}}});
    let object = converted(
        ingress,
        named(json!({"spec": {
            "ingressClassName": "nginx",
            "defaultBackend": {"service": {"name": "home", "port": {"name": "http"}}},
            "rules": [{"host": "a.example.com", "http": {"paths": [path("web"), path("api"), bucket]}}, {"http": {"paths": [path("web")]}}, {"host": "b"}]
        }})),
    );
    let routes =
        ["api", "home", "web"].map(|name| target(Relation::Routes, ApiKind::Service, "shop", name));
    assert_eq!(*related(object).targets, routes);
}

#[test]
fn a_claim_leads_to_its_volume_once_it_is_bound() {
    let bound = converted(
        persistent_volume_claim,
        named(json!({"spec": {"volumeName": "pv-1"}})),
    );
    let volume = target(Relation::BindsTo, ApiKind::PersistentVolume, "", "pv-1");
    assert_eq!(*related(bound).targets, [volume]);
    let pending = converted(persistent_volume_claim, named(json!({"spec": {}})));
    assert!(related(pending).targets.is_empty());
}

#[test]
fn an_autoscaler_scales_a_workload_of_any_kind() {
    let scaled = |kind: &str, version: &str| {
        let spec = json!({"maxReplicas": 5, "scaleTargetRef": {"kind": kind, "name": "web", "apiVersion": version}});
        let object = converted(horizontal_pod_autoscaler, named(json!({"spec": spec})));
        related(object).targets[0].clone()
    };
    assert_eq!(
        scaled("Deployment", "apps/v1"),
        target(Relation::Scales, ApiKind::Deployment, "shop", "web")
    );
    let rollout = ApiKind::of("Rollout", "argoproj.io");
    assert_eq!(
        scaled("Rollout", "argoproj.io/v1alpha1"),
        target(Relation::Scales, rollout, "shop", "web")
    );
}

#[test]
fn policies_and_budgets_select_pods() {
    let spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}});
    let budget = converted(pod_disruption_budget, named(json!({"spec": spec})));
    assert_eq!(related(budget).selector, Some(labels(&[("app", "web")])));
    for pods in [json!({"podSelector": {}}), json!({})] {
        let policy = converted(network_policy, named(json!({"spec": pods})));
        assert_eq!(related(policy).selector, Some(labels(&[])), "all pods");
    }
}

#[test]
fn a_custom_controller_is_kept_by_its_metadata() {
    let rollout = ApiKind::of("Rollout", "argoproj.io");
    let meta = parsed(json!({
        "name": "web", "namespace": "shop", "uid": "r1", "labels": {"app": "web"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"},
        "ownerReferences": [{"apiVersion": "example.com/v1alpha1", "kind": "App", "name": "shop", "uid": "a1", "controller": true}]
    }));
    let mut texts = Texts::default();
    let object = plain(&rollout, &meta, &mut texts);
    assert_eq!(object.body, Body::Plain);
    assert_eq!(object.meta.kind, rollout);
    let app = owner(ApiKind::of("App", "example.com"), "shop", "a1");
    assert_eq!(object.meta.controller, Some(app));
    assert!(!format!("{object:?} {texts:?}").contains("hunter2"));
}

fn occurrence(more: Value) -> Occurrence {
    let mut text = json!({
        "metadata": {"name": "web-1.17f", "namespace": "shop", "uid": "ev1", "creationTimestamp": "2026-03-01T10:00:01Z"},
        "regarding": {"apiVersion": "v1", "kind": "Pod", "name": "web-1", "namespace": "shop", "uid": "0f6a"},
        "type": "Warning", "reason": "BackOff", "note": "Back-off restarting failed container"
    });
    let (Value::Object(all), Value::Object(more)) = (&mut text, more) else {
        panic!("an object");
    };
    all.extend(more);
    event(&parsed(text), &mut Texts::default())
}

#[test]
fn an_event_is_counted_in_the_older_way() {
    let of = occurrence(json!({
        "eventTime": null, "deprecatedCount": 7, "deprecatedSource": {"component": "kubelet", "host": "node-a"},
        "deprecatedFirstTimestamp": "2026-03-01T10:00:00Z", "deprecatedLastTimestamp": "2026-03-01T10:05:00Z"
    }));
    let expected = Occurrence {
        uid: "ev1".into(),
        namespace: "shop".into(),
        about: owner(ApiKind::Pod, "web-1", "0f6a"),
        severity: "Warning".into(),
        reason: "BackOff".into(),
        note: "Back-off restarting failed container".into(),
        count: 7,
        first: at(0),
        last: at(300),
    };
    assert_eq!(of, expected);
}

#[test]
fn an_event_is_counted_in_the_newer_way() {
    let once = occurrence(
        json!({"eventTime": "2026-03-01T10:00:00.250000Z", "reportingController": "default-scheduler"}),
    );
    assert_eq!(
        (once.count, once.first, once.last),
        (1, at(0) + 250, at(0) + 250)
    );
    let series = json!({"count": 4, "lastObservedTime": "2026-03-01T10:02:00.000000Z"});
    let often = occurrence(json!({"eventTime": "2026-03-01T10:00:00.250000Z", "series": series}));
    assert_eq!((often.count, often.last), (4, at(120)));
}
