use insight_proto::v1;

use super::*;

async fn edge_id(http: &Http) -> String {
    let graph = get_json(http, "/v1/graph").await;
    let edges = graph["edges"].as_array().unwrap();
    let served = edges.iter().find(|edge| edge["port"] == 80).unwrap();
    served["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_graph_in_each_format() {
    let http = state();
    let graph = get_json(&http, "/v1/graph?level=workload&format=json").await;
    assert_eq!(graph["edges"].as_array().unwrap().len(), 2);
    for (format, kind, expected) in [
        ("dot", "text/vnd.graphviz; charset=utf-8", "digraph"),
        ("mermaid", "text/plain; charset=utf-8", "-->"),
        ("table", "text/plain; charset=utf-8", "a.service"),
    ] {
        let path = format!("/v1/graph?format={format}");
        let (status, found, body) = ask(&http, "GET", &path).await;
        assert_eq!((status, found.as_str()), (StatusCode::OK, kind));
        assert!(body.contains(expected), "{format}: {body}");
    }
}

#[tokio::test]
async fn parts_of_the_graph() {
    let http = state();
    let whole = get_json(&http, "/v1/graph").await;
    let whole = whole["edges"].as_array().unwrap();
    for (parameters, expected) in [
        ("ports=80", 1),
        ("ports=79,81-90", 0),
        ("protocols=tcp,udp", 2),
        ("protocols=udp", 1),
        ("protocols=TCP&ports=443", 0),
        ("kinds=Unit", 2),
        ("kinds=pod,deployment", 0),
        ("namespaces=shop", 0),
        ("selector=app%20in%20(web,api)", 0),
        ("selector=app+notin+(web),!x", 0),
        ("min_bytes=1", 2),
        ("min_bytes=1000000000", 0),
        ("min_connections=1000000000", 0),
        ("focus=a.service&direction=inbound&ports=80", 1),
        ("top=1", 2),
        ("top=0&top_by=failures", 1),
        ("top=2", 2),
        ("top=&unconnected=false&min_bytes=", 2),
    ] {
        let graph = get_json(&http, &format!("/v1/graph?{parameters}")).await;
        let edges = graph["edges"].as_array().unwrap();
        assert_eq!(edges.len(), expected, "{parameters}");
        for edge in edges {
            let is_other = edge["client"] == "other" && parameters.contains("top=");
            assert!(whole.contains(edge) || is_other, "{parameters}: {edge}");
        }
    }
    let diff = get_json(&http, "/v1/diff?before=-1h&ports=80").await;
    assert_eq!(diff["perhaps_added_edges"].as_array().unwrap().len(), 1);
    let id = edge_id(&http).await;
    get_json(&http, &format!("/v1/edges/{id}?ports=80")).await;
    let path = format!("/v1/edges/{id}?ports=81");
    assert_eq!(ask(&http, "GET", &path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn times_as_people_write_them() {
    let http = state();
    for times in [
        "at=now&window=1h",
        "from=-1w",
        "from=yesterday%2014:00",
        "from=monday+0:00&tz=Pacific/Kiritimati",
        "from=2026-01-31T12:00:00%2B02:00&to=9999-12-31T23:59:59Z",
        "from=1970-01-01T00:00:00Z",
        "from=2016-12-31T23:59:60Z",
    ] {
        let graph = get_json(&http, &format!("/v1/graph?{times}")).await;
        assert_eq!(graph["edges"].as_array().unwrap().len(), 2, "{times}");
    }
    let long = "9".repeat(10_000);
    for (times, word) in [
        ("at=soon", "at=yesterday+14:00"),
        ("at=0000-01-01T00:00:00Z", "1970"),
        ("at=99999-01-01T00:00:00Z", "cannot read"),
        ("from=2600-01-01", "future"),
        ("from=now&to=-1h", "empty"),
        ("at=%E2%80%AE14:00", "cannot read"),
        ("at=%00", "cannot read"),
        (&format!("at={long}"), "10000 bytes"),
        ("at=-1h&tz=Europe/Atlantis", "tz=Europe/Berlin"),
        ("window=-1m", "window=5m"),
    ] {
        let (status, _, body) = ask(&http, "GET", &format!("/v1/graph?{times}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{times}");
        assert!(body.contains(word) && body.len() < 2_000, "{times}: {body}");
    }
}

#[tokio::test]
async fn the_past_is_empty_here() {
    let graph = get_json(&state(), "/v1/graph?from=-3h&to=-2h").await;
    assert_eq!(graph["edges"], serde_json::json!([]));
    assert_eq!(graph["gaps"][0]["reason"], "no_agent");
    // Longer ago than anything is kept.
    let graph = get_json(&state(), "/v1/graph?from=0&to=1970-01-02").await;
    assert_eq!(graph["edges"], serde_json::json!([]));
    assert_eq!(graph["to"], "1970-01-02T00:00:00.000Z");
    assert_eq!(graph["gaps"][0]["reason"], "not_kept");
}

#[tokio::test]
async fn one_edge_with_its_nodes() {
    let http = state();
    let id = edge_id(&http).await;
    let edge = get_json(&http, &format!("/v1/edges/{id}")).await;
    assert_eq!(edge["edge"]["id"], id.as_str());
    assert_eq!(edge["server"]["name"], "a.service");
    assert_eq!(edge["client"]["kind"], "external");
    assert_eq!(edge["edge"]["server_view"]["bytes_received"], 15);
}

#[tokio::test]
async fn an_edge_over_time() {
    let http = state();
    for level in ["workload", "node", "container"] {
        let graph = get_json(&http, &format!("/v1/graph?level={level}")).await;
        let edge = &graph["edges"][0];
        let id = edge["id"].as_str().unwrap();
        let path = format!("/v1/edges/{id}/history?window=10m");
        let history = get_json(&http, &path).await;
        assert_eq!(history["server"]["id"], edge["server"], "{level}");
        assert_eq!(history["step_seconds"], 60);
        assert_eq!(history["first_seen"], edge["first_seen"]);
        assert_eq!(history["last_seen"], edge["last_seen"]);
        let points = history["points"].as_array().unwrap();
        assert!((10..=11).contains(&points.len()), "{history:#}");
        let with: Vec<_> = points
            .iter()
            .filter(|point| !point["server_view"].is_null() || !point["client_view"].is_null())
            .collect();
        let [point] = with.as_slice() else {
            panic!("one minute has it: {history:#}")
        };
        for view in ["client_view", "server_view"] {
            assert_eq!(point[view], edge[view], "{level}");
        }
        assert_eq!(points[0]["complete"], false, "nobody had reported");
    }
    for (path, status) in [
        ("/v1/edges/0000000000000000/history", StatusCode::NOT_FOUND),
        ("/v1/edges/x/history?step=7m", StatusCode::BAD_REQUEST),
        ("/v1/edges/x/history?from=soon", StatusCode::BAD_REQUEST),
        ("/v1/edges/x/history?ports=80", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ask(&http, "GET", path).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn an_edge_is_found_at_its_level() {
    let http = state();
    for level in ["container", "node", "workload"] {
        let graph = get_json(&http, &format!("/v1/graph?level={level}")).await;
        let edge = &graph["edges"][0];
        let id = edge["id"].as_str().unwrap();
        let found = get_json(&http, &format!("/v1/edges/{id}")).await;
        assert_eq!(found["edge"], *edge, "{level}");
        let named = get_json(&http, &format!("/v1/edges/{id}?level={level}")).await;
        assert_eq!((&named["edge"], &named["level"]), (edge, &level.into()));
        let elsewhere = if level == "node" { "workload" } else { "node" };
        let path = format!("/v1/edges/{id}?level={elsewhere}");
        let (status, _, body) = ask(&http, "GET", &path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{body}");
        assert!(body.contains(&format!("at level {elsewhere}")), "{body}");
    }
    // A focus that is there at one level only is no mistake, and one that is nowhere is.
    let graph = get_json(&http, "/v1/graph?level=node").await;
    let id = graph["edges"][0]["id"].as_str().unwrap();
    let near = get_json(&http, &format!("/v1/edges/{id}?focus=node:n1")).await;
    assert_eq!(near["edge"], graph["edges"][0]);
    let path = format!("/v1/edges/{id}?focus=nobody");
    assert_eq!(ask(&http, "GET", &path).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn two_moments_compared() {
    let http = state();
    let count = |diff: &Value, list: &str| diff[list].as_array().unwrap().len();
    // Nobody looked an hour ago.
    let diff = get_json(&http, "/v1/diff?before=-1h").await;
    assert_eq!(
        (
            count(&diff, "perhaps_added_edges"),
            count(&diff, "added_edges")
        ),
        (2, 0)
    );
    assert_eq!(diff["before"]["gaps"][0]["reason"], "no_agent");
    let diff = get_json(&http, "/v1/diff?before=now&after=-1h").await;
    assert_eq!(
        (
            count(&diff, "perhaps_removed_edges"),
            count(&diff, "removed_edges")
        ),
        (2, 0)
    );
    let diff = get_json(&http, "/v1/diff?before=now&window=5m").await;
    assert_eq!(
        (count(&diff, "changed_edges"), &diff["unchanged_edges"]),
        (0, &2.into())
    );
    let diff = get_json(&http, "/v1/diff?before=-1h..now&thresholds=all:0%25").await;
    let change = &diff["changed_edges"][0]["counters"][0];
    assert_eq!(change["before"], change["after"], "an hour is longer");
}

#[tokio::test]
async fn agents_are_listed() {
    let http = state();
    assert_eq!(get(&http, "/v1/agents").await, r#"{"agents":[]}"#);
    let hello = v1::Hello {
        node: "n1".into(),
        epoch: u64::MAX,
        agent_version: "0.1".into(),
        interval_ms: 5_000,
        ..v1::Hello::default()
    };
    let place = http.agents.enter(&hello).unwrap();
    place.batch_done(7, None);
    let listed = get_json(&http, "/v1/agents").await;
    let agent = &listed["agents"][0];
    assert_eq!(agent["epoch"], "18446744073709551615");
    assert_eq!(agent["last_sequence"], 7);
    assert!(agent["last_batch"].is_string());
}

#[tokio::test]
async fn mistakes_have_a_code_a_message_and_a_hint() {
    let http = state();
    for (method, path, status, code, message) in [
        ("GET", "/v1/nothing", 404, "not_found", "/v1/nothing"),
        ("GET", "/v1/edges/", 404, "not_found", "/v1/edges/"),
        ("POST", "/v1/graph", 405, "method_not_allowed", "POST"),
        (
            "GET",
            "/v1/graph?lvl=node",
            400,
            "invalid_argument",
            "unknown parameter \"lvl\"",
        ),
        (
            "GET",
            "/v1/graph?level=node&level=node",
            400,
            "invalid_argument",
            "\"level\" is there twice",
        ),
        (
            "GET",
            "/v1/graph?level=cluster",
            400,
            "invalid_argument",
            "level: ",
        ),
        ("GET", "/v1/graph?at=soon", 400, "invalid_argument", "at: "),
        (
            "GET",
            "/v1/graph?at=-1h&from=-2h",
            400,
            "invalid_argument",
            "at: ",
        ),
        ("GET", "/v1/graph?hops=x", 400, "invalid_argument", "hops: "),
        (
            "GET",
            "/v1/graph?hops=2",
            400,
            "invalid_argument",
            "`focus`",
        ),
        (
            "GET",
            "/v1/diff?before=-1h&hops=2",
            400,
            "invalid_argument",
            "`focus`",
        ),
        (
            "GET",
            "/v1/graph?selector=app%20in%20web",
            400,
            "invalid_argument",
            "selector: ",
        ),
        (
            "GET",
            "/v1/diff?before=-1h&ports=http",
            400,
            "invalid_argument",
            "ports: ",
        ),
        (
            "GET",
            "/v1/graph?focus=nobody",
            400,
            "invalid_argument",
            "focus: ",
        ),
        (
            "GET",
            "/v1/graph?format=svg",
            400,
            "invalid_argument",
            "format: ",
        ),
        (
            "GET",
            "/v1/graph?level=%FF",
            400,
            "invalid_argument",
            "level",
        ),
        (
            "GET",
            "/v1/edges/0000000000000000",
            404,
            "not_found",
            "0000000000000000",
        ),
        ("GET", "/v1/edges/%FF", 400, "invalid_argument", "id"),
        (
            "GET",
            "/v1/diff",
            400,
            "invalid_argument",
            "\"before\" is missing",
        ),
        (
            "GET",
            "/v1/diff?before=soon",
            400,
            "invalid_argument",
            "before: ",
        ),
        (
            "GET",
            "/v1/diff?before=-1h&after=soon",
            400,
            "invalid_argument",
            "after: ",
        ),
        (
            "GET",
            "/v1/diff?before=-1h&after=-1h..-2h",
            400,
            "invalid_argument",
            "after: ",
        ),
        (
            "GET",
            "/v1/diff?before=-1h&thresholds=bytes",
            400,
            "invalid_argument",
            "thresholds: ",
        ),
        (
            "GET",
            "/healthz?x=1",
            400,
            "invalid_argument",
            "unknown parameter \"x\"",
        ),
    ] {
        let (found, kind, body) = ask(&http, method, path).await;
        assert_eq!(found.as_u16(), status, "{path}: {body}");
        assert_eq!(kind, "application/json", "{path}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let error = &body["error"];
        assert_eq!(error["code"], code, "{path}");
        let said = error["message"].as_str().unwrap();
        assert!(said.contains(message), "{path}: {said}");
        assert!(!error["hint"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_stopping_aggregator_is_alive_but_not_ready() {
    let http = state();
    assert_eq!(get(&http, "/readyz").await, r#"{"status":"ready"}"#);
    http.stop.cancel();
    assert_eq!(get_json(&http, "/healthz").await["status"], "ok");
    let (status, _, body) = ask(&http, "GET", "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("not_ready"), "{body}");
}
