use serde_json::{Value, json};

use super::*;

fn template(images: &[&str]) -> Value {
    let container = |(n, image): (usize, &&str)| json!({"name": format!("c{n}"), "image": image});
    let containers: Vec<Value> = images.iter().enumerate().map(container).collect();
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}})
}

fn object(spec: &Value, status: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "d1", "generation": 3},
        "spec": spec, "status": status
    })
}

#[track_caller]
fn workload(object: Object, kind: &ApiKind) -> Workload {
    assert_eq!(object.meta.kind, *kind);
    match object.body {
        Body::Workload(workload) => *workload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_scales_has_wanted_and_ready_pods() {
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template(&["shop/web:2", "envoy:1"])});
    let text = || object(&spec, &json!({"replicas": 3, "readyReplicas": 2}));
    let expected = Workload {
        replicas: 3,
        ready: 2,
        selector: Some(labels(&[("app", "web")])),
        images: Box::new(["shop/web:2".into(), "envoy:1".into()]),
        generation: 3,
    };
    let of = [
        workload(converted(deployment, text()), &ApiKind::Deployment),
        workload(converted(replica_set, text()), &ApiKind::ReplicaSet),
        workload(converted(stateful_set, text()), &ApiKind::StatefulSet),
    ];
    for of in of {
        assert_eq!(of, expected);
    }
}

#[test]
fn a_daemon_set_wants_one_for_each_of_its_nodes() {
    let spec =
        json!({"selector": {"matchLabels": {"app": "web"}}, "template": template(&["agent:1"])});
    let status = json!({"desiredNumberScheduled": 4, "numberReady": 3, "currentNumberScheduled": 4, "numberMisscheduled": 0});
    let of = workload(
        converted(daemon_set, object(&spec, &status)),
        &ApiKind::DaemonSet,
    );
    assert_eq!((of.replicas, of.ready), (4, 3));
}

#[test]
fn a_job_that_is_over_wants_no_pod() {
    let spec = json!({"parallelism": 2, "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "7"}}, "template": template(&["job:1"])});
    let active = workload(
        converted(job, object(&spec, &json!({"active": 2, "ready": 1}))),
        &ApiKind::Job,
    );
    assert_eq!((active.replicas, active.ready), (2, 1));
    let over = json!({"succeeded": 2, "conditions": [{"type": "Complete", "status": "True"}]});
    let over = workload(converted(job, object(&spec, &over)), &ApiKind::Job);
    assert_eq!((over.replicas, over.ready), (0, 0));
}

#[test]
fn a_cron_job_has_the_images_of_its_jobs() {
    let spec = json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(&["job:1"])}}});
    let of = workload(
        converted(cron_job, object(&spec, &json!({}))),
        &ApiKind::CronJob,
    );
    assert_eq!(*of.images, [Text::from("job:1")]);
    assert_eq!((of.replicas, of.selector), (0, None));
}

#[test]
fn a_replication_controller_may_leave_its_selector_to_its_template() {
    for selector in [json!({"app": "web"}), Value::Null] {
        let spec = json!({"replicas": 1, "selector": selector, "template": template(&["a:1"])});
        let object = converted(
            replication_controller,
            object(&spec, &json!({"replicas": 1, "readyReplicas": 1})),
        );
        let of = workload(object, &ApiKind::ReplicationController);
        assert_eq!(of.selector, Some(labels(&[("app", "web")])));
    }
}

#[test]
fn a_selector_with_expressions_is_kept_if_they_are_pairs() {
    let selected = |expressions: Value| {
        let spec = json!({
            "selector": {"matchLabels": {"app": "web"}, "matchExpressions": expressions},
            "template": template(&[])
        });
        workload(
            converted(deployment, object(&spec, &json!({}))),
            &ApiKind::Deployment,
        )
        .selector
    };
    let pair = json!([{"key": "tier", "operator": "In", "values": ["front"]}]);
    assert_eq!(
        selected(pair),
        Some(labels(&[("app", "web"), ("tier", "front")]))
    );
    let several = json!([{"key": "tier", "operator": "In", "values": ["front", "back"]}]);
    assert_eq!(selected(several), None);
    assert_eq!(
        selected(json!([{"key": "tier", "operator": "Exists"}])),
        None
    );
}
