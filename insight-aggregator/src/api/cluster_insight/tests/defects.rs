//! Cluster Insight's defects, each by its number: none comes back.

use super::objects::{container, labels, node, plain, pod, service, slice, workload};
use super::*;
use crate::kubernetes::object::{ApiKind, Body, ContainerRole, Labels};

const WEB: [(&str, &str); 1] = [("app", "web")];

#[tokio::test]
async fn defect_1_objects_of_one_name_in_two_namespaces_are_two() {
    let world = World::of(["a", "b"].map(|namespace| pod(namespace, "web-0", "n1").into()));
    let answer = world.get("/cluster/resources/pods").await;
    assert_eq!(ids(&answer), ["Pod:a/web-0", "Pod:b/web-0"]);
}

#[tokio::test]
async fn defect_2_selectors_stay_within_their_namespace() {
    let world = World::of(["a", "b"].map(|space| pod(space, "web-0", "n1").labels(&WEB).into()));
    world.put(service("a", "web", &WEB), START);
    let answer = world.get("/cluster").await;
    assert_eq!(
        related(&answer, "loadBalances"),
        ["Service:a/web>Pod:a/web-0"]
    );
}

#[tokio::test]
async fn defect_3_errors_have_their_status() {
    let world = World::new();
    for (path, status, message) in [
        ("/cluster?type=Minion", 400, "type: \"Minion\" is neither"),
        ("/cluster?nope=1", 400, "unknown parameter \"nope\""),
        ("/cluster?root=Pod:a/b", 404, "there is no \"Pod:a/b\""),
        (
            "/cluster/resources/minions",
            404,
            "there is no type \"minions\"",
        ),
        ("/cluster?at=2026-13-31T12:00:00Z", 400, "cannot read"),
    ] {
        let got = world.ask(path, &[]).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        let error = got.json();
        assert_eq!(error["success"], false);
        assert!(error["timestamp"].is_string());
        let said = error["error_message"].as_str().unwrap();
        assert!(said.contains(message), "{path}: {said}");
        let joined = if path.contains('?') { '&' } else { '?' };
        let legacy = world
            .ask(&format!("{path}{joined}legacy_status=200"), &[])
            .await;
        assert_eq!(legacy.status, StatusCode::OK, "{path}");
        assert_eq!(legacy.json()["error_message"], error["error_message"]);
        assert_eq!(legacy.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn defect_4_times_are_in_utc_and_say_so() {
    let world = World::of([node("n1")]);
    let answer = world.get("/cluster").await;
    assert_eq!(answer["timestamp"], "2026-01-31T12:00:00.000000Z");
    assert_eq!(answer["resources"][0]["timestamp"], answer["timestamp"]);
    assert_eq!(answer["relations"][0]["timestamp"], answer["timestamp"]);
    let node = resource(&answer, "Node:n1");
    let created = &node["properties"]["metadata"]["creationTimestamp"];
    assert_eq!(created, "2026-01-31T11:59:00Z");
}

/// Environments are not even kept; of Secrets there are names.
#[tokio::test]
async fn defect_5_no_secret_is_shown() {
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    found.push(name.clone());
                    keys(field, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut secret = plain(ApiKind::Secret, "a", "token");
    secret.meta.labels = labels(&[("password", "hunter2")]);
    let world = World::of([secret, pod("a", "web-0", "n1").image("web").into()]);
    let got = world.ask("/cluster", &[]).await;
    assert!(!got.body.contains("hunter2"));
    let mut found = Vec::new();
    keys(&got.json(), &mut found);
    assert!(found.iter().any(|key| key == "containers"));
    for secret in ["env", "envFrom", "args", "command", "data", "stringData"] {
        assert!(!found.iter().any(|key| key == secret), "{secret}");
    }
}

#[tokio::test]
async fn defect_6_reading_elapsed_takes_nothing_away() {
    let world = World::of([node("n1")]);
    for path in ["/cluster", "/cluster/resources", "/debug"] {
        assert_eq!(world.ask(path, &[]).await.status, StatusCode::OK);
    }
    let first = world.get("/elapsed").await;
    assert_eq!(first["elapsed"]["count"], 3);
    let items = first["elapsed"]["items"].as_array().unwrap();
    let what: Vec<&str> = items
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["/cluster", "/cluster/resources", "/debug"]);
    assert_eq!(world.get("/elapsed").await["elapsed"], first["elapsed"]);
}

#[tokio::test]
async fn defect_7_what_did_not_change_is_not_sent_again() {
    let world = World::of([node("n1")]);
    let path = "/cluster?type=Node";
    let first = world.ask(path, &[]).await;
    let tag = first.header("etag");
    let again = world.ask(path, &[("if-none-match", tag)]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!((again.body.as_str(), again.header("etag")), ("", tag));
    world.put(node("n2"), START + 1_000);
    let changed = world.ask(path, &[("if-none-match", tag)]).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        changed.header("last-modified"),
        "Sat, 31 Jan 2026 12:00:01 GMT"
    );
    // And whoever does not want to ask again is told: see `watch`.
}

/// Another time's traffic is that time's; of objects none that was created later is shown, and it is said that the others are as they are now.
#[tokio::test]
async fn defect_8_another_time_is_never_taken_for_now() {
    let world = traffic::shop();
    let now = world.get("/cluster").await;
    assert!(!related(&now, "communicatesWith").is_empty());
    assert!(now.get("objects_as_of").is_none());
    for question in [
        "at=-1h",
        "from=-2h&to=-1h",
        "at=now&window=5m&to=",
        "at=today%2000:00&tz=Europe/Berlin",
    ] {
        let then = world.get(&format!("/cluster?{question}")).await;
        assert!(then["objects_as_of"].is_string(), "{question}");
        let expected = match question.starts_with("at=now") {
            true => related(&now, "communicatesWith"),
            false => Vec::new(),
        };
        assert_eq!(related(&then, "communicatesWith"), expected, "{question}");
        assert!(ids(&then).contains(&"Node:n1"), "{question}");
    }
    // Every object of this world was created in 1970, which is the first moment of a range that has one.
    let before = world.get("/cluster?from=0&to=1").await;
    assert!(
        !ids(&before).iter().any(|id| id.starts_with("Pod:")),
        "{before:#}"
    );
    for (question, word) in [
        ("at=soon", "at: "),
        ("at=0000-01-01T00:00:00Z", "1970"),
        ("from=-1h&to=-2h", "from: "),
        ("at=-1h&tz=Mars/Base", "tz: "),
        ("window=0m", "window: "),
    ] {
        let got = world.ask(&format!("/cluster?{question}"), &[]).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{question}");
        assert!(got.body.contains(word), "{question}: {}", got.body);
    }
    let got = world.ask("/cluster/watch?at=-1h", &[]).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn defect_9_modern_kinds_are_there() {
    let mut objects: Vec<_> = ApiKind::NAMED
        .into_iter()
        .filter(|kind| *kind != ApiKind::Pod)
        .map(|kind| plain(kind, "", "x"))
        .collect();
    objects.push(plain(ApiKind::of("Rollout", "argoproj.io"), "a", "x"));
    objects.push(plain(
        ApiKind::of("HTTPRoute", "gateway.networking.k8s.io"),
        "a",
        "x",
    ));
    let world = World::of(objects);
    for path in [
        "namespaces",
        "deployments",
        "replicasets",
        "statefulsets",
        "daemonsets",
        "jobs",
        "cronjobs",
        "endpointslices",
        "ingresses",
        "persistentvolumeclaims",
        "persistentvolumes",
        "horizontalpodautoscalers",
        "poddisruptionbudgets",
        "networkpolicies",
        "configmaps",
        "secrets",
        "rollout.argoproj.io",
        "httproutes",
    ] {
        let answer = world.get(&format!("/cluster/resources/{path}")).await;
        assert_eq!(ids(&answer).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn defect_10_init_sidecar_and_ephemeral_containers_are_there() {
    let with = |name: &str, role| {
        let mut one = container(name, name, "image");
        one.role = role;
        one
    };
    let world = World::of([pod("a", "web-0", "n1")
        .containers([
            with("prepare", ContainerRole::Init),
            with("proxy", ContainerRole::Sidecar),
            with("web", ContainerRole::Main),
            with("debugger", ContainerRole::Ephemeral),
        ])
        .into()]);
    let answer = world.get("/cluster").await;
    let role = |name: &str| {
        let id = format!("Container:containerd://{name}");
        resource(&answer, &id)["annotations"]["role"].clone()
    };
    assert_eq!(role("prepare"), "init");
    assert_eq!(role("proxy"), "sidecar");
    assert_eq!(role("debugger"), "ephemeral");
    assert_eq!(role("web"), Value::Null);
    assert_eq!(related(&answer, "contains").len(), 4 + 1);
    let pod = &resource(&answer, "Pod:a/web-0")["properties"];
    assert_eq!(pod["spec"]["initContainers"][1]["restartPolicy"], "Always");
    assert_eq!(
        pod["status"]["ephemeralContainerStatuses"][0]["name"],
        "debugger"
    );
}

#[tokio::test]
async fn defect_11_monitors_says_who_controls_not_who_would_select() {
    let rc = ApiKind::ReplicationController;
    let world = World::of([
        workload(rc.clone(), "a", "web", &WEB),
        pod("a", "adopted", "n1").controlled_by(rc, "web").into(),
        pod("a", "stranger", "n1").labels(&WEB).into(),
    ]);
    let answer = world.get("/cluster").await;
    let expected = ["ReplicationController:a/web>Pod:a/adopted"];
    assert_eq!(related(&answer, "monitors"), expected);
}

#[tokio::test]
async fn defect_12_who_talks_to_whom_is_there() {
    let world = traffic::shop();
    let answer = world.get("/cluster").await;
    let expected = ["Pod:shop/client>Pod:shop/web"];
    assert_eq!(related(&answer, "communicatesWith"), expected);
}

#[tokio::test]
async fn defect_13_there_is_a_graph_without_a_list_of_nodes() {
    let world = World::of([pod("a", "web-0", "n1").into(), service("a", "web", &[])]);
    let answer = world.get("/cluster").await;
    let expected = [
        "Cluster:_unknown_",
        "Node:n1",
        "Pod:a/web-0",
        "Service:a/web",
    ];
    assert_eq!(ids(&answer), expected);
    assert_eq!(related(&answer, "runs"), ["Node:n1>Pod:a/web-0"]);
}

// Defect 14, TLS that is not verified: `tests/tests/absences.rs`.

#[tokio::test]
async fn defect_15_names_cannot_write_dot() {
    let mut evil = plain(ApiKind::ConfigMap, "a", "x");
    evil.meta.name = "\"];evil[label=\"\\".into();
    evil.body = Body::Plain;
    let got = World::of([evil]).ask("/debug", &[]).await;
    let expected =
        r#""ConfigMap:a/\"];evil[label=\"\\"[label="ConfigMap:\"];evil[label=\"\\",color=black]"#;
    assert!(got.body.contains(expected), "{}", got.body);
    // Outside of quotes there is what DOT needs, and nothing else.
    let mut outside = String::new();
    let (mut is_quoted, mut letters) = (false, got.body.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => drop(letters.next()),
            _ if !is_quoted => outside.push(letter),
            _ => {}
        }
    }
    let expected = "digraph{[label=,color=black];[label=,color=black];->[label=]}";
    assert_eq!(outside, expected);
}

/// What makes defects 2 and 11 right where there are slices: they say who stands behind a Service.
#[tokio::test]
async fn endpoint_slices_win_over_selectors() {
    let none: Labels = labels(&[]);
    let mut other = pod("a", "other", "n1");
    other.0.labels = none;
    let world = World::of([
        service("a", "web", &WEB),
        pod("a", "selected", "n1").labels(&WEB).into(),
        other.into(),
        slice("a", "web-x", "web", &[("other", false), ("gone", true)]),
    ]);
    let answer = world.get("/cluster").await;
    assert_eq!(
        related(&answer, "loadBalances"),
        ["Service:a/web>Pod:a/other"]
    );
    let relations = answer["relations"].as_array().unwrap();
    let one = relations.iter().find(|one| one["type"] == "loadBalances");
    assert_eq!(one.unwrap()["annotations"]["metadata"]["ready"], false);
}
