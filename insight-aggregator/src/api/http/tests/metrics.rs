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
