use super::*;
use crate::api::prometheus::parse::{Family, parse};

async fn scrape(http: &Http) -> std::collections::BTreeMap<String, Family> {
    let (status, kind, body) = ask(http, "GET", "/metrics").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    parse(&body).unwrap_or_else(|why| panic!("{why}"))
}

#[tokio::test]
async fn edges_containers_and_own_numbers_can_be_scraped() {
    let http = state();
    let families = scrape(&http).await;
    let served = [
        ("client", "192.0.2.7"),
        ("server", "a.service"),
        ("client_kind", "external"),
        ("server_kind", "unit"),
        ("port", "80"),
        ("protocol", "tcp"),
    ];
    let with = |name: &'static str, value: &'static str| {
        served
            .iter()
            .copied()
            .chain([(name, value)])
            .collect::<Vec<_>>()
    };
    // The server's own view, turned to the client's side: it received 17.
    assert_eq!(
        families["insight_edge_bytes_total"].value(&with("direction", "sent")),
        17.0
    );
    assert_eq!(
        families["insight_edge_bytes_total"].value(&with("direction", "received")),
        15.0
    );
    assert_eq!(
        families["insight_edge_connections_total"].value(&served),
        1.0
    );
    assert_eq!(
        families["insight_edge_active_connections"].value(&served),
        13.0
    );
    let failed = &families["insight_edge_connections_failed_total"];
    assert_eq!(failed.value(&with("reason", "refused")), 5.0);
    assert_eq!(failed.value(&with("reason", "other")), 11.0);
    let cpu = &families["container_cpu_usage_seconds_total"];
    let unit = [
        ("unit", "a.service"),
        ("node", "n1"),
        ("cpu", "total"),
        ("container", ""),
    ];
    assert_eq!(cpu.value(&unit), 21.0 / 1e9);
    assert_eq!(
        families["insight_aggregator_agents_connected"].value(&[]),
        0.0
    );
    assert_eq!(families["insight_aggregator_total_rows"].value(&[]), 2.0);
}

#[tokio::test]
async fn an_empty_aggregator_can_be_scraped() {
    let http = state();
    let retention = Duration::from_secs(60);
    let ledger = Ledger::open(Arc::new(Memory::new()), retention, now_ms()).unwrap();
    let empty = Http {
        reader: Reader::new(Arc::new(ledger), Directory::default(), Arc::default()),
        ..http
    };
    let families = scrape(&empty).await;
    assert!(families["insight_edge_bytes_total"].samples.is_empty());
}

#[tokio::test]
async fn a_watched_cluster_can_be_scraped_and_none_leaves_no_trace() {
    use crate::kubernetes::Watch;
    use crate::kubernetes::object::ApiKind;

    let http = state();
    let families = scrape(&http).await;
    assert!(families.keys().all(|name| !name.contains("kubernetes")));
    let rollout = ApiKind::of("Rollout", "argoproj.io");
    http.reader.directory().change(|index| {
        index.set_watch(&ApiKind::Pod, Watch::Current);
        let why = "it is refused".into();
        index.set_watch(&rollout, Watch::Forbidden { why });
        index.set_watch(&ApiKind::CronJob, Watch::Absent);
    });
    let families = scrape(&http).await;
    let up = &families["insight_kubernetes_watch_up"];
    assert_eq!(up.value(&[("kind", "Pod")]), 1.0);
    assert_eq!(up.value(&[("kind", "Rollout.argoproj.io")]), 0.0);
    assert_eq!(up.samples.len(), 2, "an absent kind is not down");
    let objects = &families["insight_kubernetes_objects"];
    assert_eq!(objects.value(&[("kind", "Pod")]), 0.0);
}
