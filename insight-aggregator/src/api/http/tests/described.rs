//! `/openapi.json` says what the router does.

use std::collections::BTreeSet;

use super::*;
use crate::api::http::openapi::DOCUMENT;
use crate::graph::{PARTS, TIMES, ZONE};
use crate::model::Level;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// What a reference stands for.
fn meant<'d>(document: &'d Value, at: &'d Value) -> &'d Value {
    match at["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => at,
    }
}

#[test]
fn it_has_the_levels_and_every_parameter_of_a_question() {
    let document = document();
    let parts = &document["components"];
    let levels: Vec<&str> = Level::ALL.into_iter().map(Level::as_str).collect();
    assert_eq!(parts["schemas"]["Level"]["enum"], serde_json::json!(levels));
    let described = parts["parameters"].as_object().unwrap();
    let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = TIMES.into_iter().chain([ZONE]).chain(PARTS).collect();
    assert_eq!(described, known);
    for (name, parameter) in parts["parameters"].as_object().unwrap() {
        assert_eq!(parameter["name"], name.as_str());
    }
}

#[test]
fn it_has_the_routers_paths() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let described: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let routed: BTreeSet<&str> = routes().iter().map(|(path, ..)| *path).collect();
    assert_eq!(described, routed);
}

#[tokio::test]
async fn it_has_the_parameters_that_are_taken() {
    let http = state();
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().unwrap();
        let described: BTreeSet<&str> = parameters
            .iter()
            .map(|parameter| meant(&document, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let concrete = path.replace("{id}", "x").replace("{type}", "pods");
        let (status, _, body) = ask(&http, "GET", &format!("{concrete}?_=1")).await;
        if status == StatusCode::OK {
            assert_eq!(path, "/", "takes any parameter");
            continue;
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        let hint = body["error"]["hint"].as_str().unwrap();
        let taken: BTreeSet<&str> = match hint.strip_prefix("the parameters are ") {
            Some(names) => names.split(", ").collect(),
            None => BTreeSet::new(),
        };
        assert_eq!(described, taken, "{path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, at: &Value, found: &mut usize) {
        match at {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref") {
                    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
                    *found += 1;
                }
                fields
                    .values()
                    .for_each(|value| walk(document, value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(document, value, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), 0);
    walk(&document, &document, &mut found);
    assert!(found > 20);
}

#[tokio::test]
async fn answers_are_as_described() {
    let http = state();
    let hello = insight_proto::v1::Hello {
        node: "n1".into(),
        ..Default::default()
    };
    let _place = http.agents.enter(&hello).unwrap();
    let document = document();
    let graph = get_json(&http, "/v1/graph").await;
    let id = graph["edges"][0]["id"].as_str().unwrap();
    for (path, schema) in [
        ("/".to_owned(), "Index"),
        ("/v1/graph".to_owned(), "Graph"),
        ("/v1/graph?from=-1h&level=container".to_owned(), "Graph"),
        ("/v1/graph?top=1&unconnected=true".to_owned(), "Graph"),
        (format!("/v1/edges/{id}"), "EdgeDetail"),
        (format!("/v1/edges/{id}/history?window=5m"), "EdgeHistory"),
        ("/v1/diff?before=-1h".to_owned(), "GraphDiff"),
        ("/v1/agents".to_owned(), "Agents"),
        ("/healthz".to_owned(), "Health"),
        ("/readyz".to_owned(), "Status"),
        ("/cluster".to_owned(), "ClusterGraph"),
        ("/cluster/resources".to_owned(), "ClusterResources"),
        ("/cluster/resources/nodes".to_owned(), "ClusterResources"),
        ("/version".to_owned(), "ClusterVersion"),
        ("/elapsed".to_owned(), "ClusterElapsed"),
        ("/minions_status".to_owned(), "ClusterMinions"),
    ] {
        let answer = get_json(&http, &path).await;
        let schema = &document["components"]["schemas"][schema];
        schema::check(&document, schema, &answer).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
    let described = &document["components"]["schemas"]["Error"];
    for path in ["/v1/graph?level=x", "/cluster?grain=x"] {
        let (_, _, body) = ask(&http, "GET", path).await;
        let error = serde_json::from_str(&body).unwrap();
        schema::check(&document, described, &error).unwrap();
    }
    let bad = serde_json::json!({"error": {"code": 1, "message": "", "hint": ""}});
    assert!(schema::check(&document, described, &bad).is_err());
}
