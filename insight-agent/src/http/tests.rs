//! Every route, by requests as they come.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use insight_proto::v1::{MetricSample, Owner};
use tower::ServiceExt;

use super::*;
use crate::cgroups::Sample;
use crate::kernel::{Probe, Release};
use crate::status::FlowMap;

async fn get_text(status: &Status, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(status.clone()).oneshot(request).await.unwrap();
    let code = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, String::from_utf8(body.to_vec()).unwrap())
}

fn ready() -> Status {
    let status = Status::new("n1", "b00t", "http://127.0.0.1:7701");
    status.set_probes(vec![Probe {
        name: "life",
        hook: "tp_btf/inet_sock_set_state",
        since: Release(5, 5),
        required: true,
        attached: true,
        reason: None,
        lost: "everything",
        instead: "nothing",
    }]);
    status.set_flow_map(FlowMap {
        used: 12,
        size: 65536,
        dropped_updates: 3,
        removed: 5,
        memory: 30_000_000,
    });
    status.collected(Duration::from_millis(250));
    status
}

fn sample(path: &str, metrics: MetricSample) -> Sample {
    let identity = crate::cgroups::parse(path);
    let owner: Owner = crate::cgroups::owner::owner(1, path, &identity);
    Sample {
        owner: Arc::new(owner),
        metrics,
    }
}

#[tokio::test]
async fn alive_at_once_and_ready_later() {
    let status = Status::new("n1", "b00t", "http://127.0.0.1:7701");
    assert_eq!(
        get_text(&status, "/healthz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    let (code, reason) = get_text(&status, "/readyz").await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reason.contains("not loaded yet"), "{reason}");
    assert_eq!(get_text(&ready(), "/readyz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn status_is_json() {
    let status = ready();
    status.disconnected("refused");
    let (code, text) = get_text(&status, "/status").await;
    assert_eq!(code, StatusCode::OK);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["node"], "n1");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["probes"][0]["attached"], true);
    assert_eq!(json["flow_map"]["dropped_updates"], 3);
    assert_eq!(json["aggregator"]["connected"], false);
    assert_eq!(json["aggregator"]["last_error"], "refused");
    assert_eq!(json["collection"]["last_seconds"], 0.25);
    assert_eq!(json.get("not_ready"), None);
}

#[tokio::test]
async fn metrics_of_the_agent() {
    let (code, text) = get_text(&ready(), "/metrics").await;
    assert_eq!(code, StatusCode::OK);
    for line in [
        "insight_agent_info{version=\"0.1.0\",node=\"n1\",boot_id=\"b00t\"} 1",
        "insight_agent_ready 1",
        "insight_agent_probe_attached{probe=\"life\",hook=\"tp_btf/inet_sock_set_state\"} 1",
        "insight_agent_flow_map_entries 12",
        "insight_agent_flow_map_capacity 65536",
        "# TYPE insight_agent_flow_updates_dropped counter",
        "insight_agent_flow_updates_dropped_total 3",
        "insight_agent_collection_seconds 0.25",
        "insight_agent_aggregator_connected 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    // Never acknowledged is not the same as acknowledged in 1970.
    assert!(!text.contains("last_ack_timestamp"));
}

#[tokio::test]
async fn metrics_of_containers_are_cadvisors() {
    let status = ready();
    let id = "a".repeat(64);
    let container = MetricSample {
        cgroup_id: 1,
        cpu_usage_ns: Some(1_500_000_000),
        cpu_user_ns: Some(1_000_000_000),
        cpu_system_ns: Some(500_000_000),
        cfs_periods: Some(10),
        cfs_throttled_periods: Some(4),
        cfs_throttled_ns: Some(20_000_000),
        cpu_limit_millicores: Some(500),
        memory_usage_bytes: Some(4096),
        memory_working_set_bytes: Some(4000),
        memory_rss_bytes: Some(3000),
        memory_cache_bytes: Some(1000),
        memory_limit_bytes: None,
        oom_kills: Some(2),
        run_delay_ns: Some(2_500_000_000),
        runs: Some(77),
    };
    let unit = MetricSample {
        cpu_usage_ns: Some(0),
        ..MetricSample::default()
    };
    let samples = vec![
        sample(&format!("/docker/{id}"), container),
        sample("/system.slice/a\\x2db.service", unit),
    ];
    status.set_samples(samples, 0);
    let (_, text) = get_text(&status, "/metrics").await;
    let labels = format!("id=\"/docker/{id}\",container_id=\"{id}\",pod_uid=\"\",unit=\"\"");
    let unit =
        r#"id="/system.slice/a\\x2db.service",container_id="",pod_uid="",unit="a\\x2db.service""#;
    for line in [
        format!("container_cpu_usage_seconds_total{{{labels},cpu=\"total\"}} 1.5"),
        format!("container_cpu_usage_seconds_total{{{unit},cpu=\"total\"}} 0.0"),
        format!("container_cpu_user_seconds_total{{{labels}}} 1.0"),
        format!("container_cpu_system_seconds_total{{{labels}}} 0.5"),
        format!("container_cpu_cfs_periods_total{{{labels}}} 10"),
        format!("container_cpu_cfs_throttled_periods_total{{{labels}}} 4"),
        format!("container_cpu_cfs_throttled_seconds_total{{{labels}}} 0.02"),
        format!("container_memory_usage_bytes{{{labels}}} 4096"),
        format!("container_memory_working_set_bytes{{{labels}}} 4000"),
        format!("container_memory_rss{{{labels}}} 3000"),
        format!("container_memory_cache{{{labels}}} 1000"),
        format!("container_spec_memory_limit_bytes{{{labels}}} 0"),
        format!("container_oom_events_total{{{labels}}} 2"),
        format!("container_cpu_schedstat_runqueue_seconds_total{{{labels}}} 2.5"),
        format!("container_cpu_schedstat_run_periods_total{{{labels}}} 77"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    // What no file gave is absent, not 0.
    assert!(!text.contains(&format!("container_memory_usage_bytes{{{unit}")));
    assert!(!text.contains(&format!("container_spec_memory_limit_bytes{{{unit}")));
}

#[tokio::test]
async fn other_paths_say_which_there_are() {
    let (code, text) = get_text(&ready(), "/metric").await;
    assert_eq!(code, StatusCode::NOT_FOUND);
    assert!(text.contains("/metrics"), "{text}");
}

#[tokio::test]
async fn a_port_in_use_names_the_flag_and_a_stop_ends_the_server() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = format!("{:#}", bind(address).await.unwrap_err());
    assert!(
        error.contains("--listen") && error.contains(&address.to_string()),
        "{error}"
    );
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, ready(), stop.clone()));
    stop.cancel();
    server.await.unwrap().unwrap();
}
