//! What a program dialed is told where a load balancer at its socket leads it somewhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};
use insight_tests::balancer::Balancer;
use insight_tests::load::client::Plan;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::reader::Counts;
use insight_tests::traffic::{at, run_client, serve};
use insight_tests::world::{NODE, Pods, Product};

const PORT: u16 = 7001;

/// Nobody has these.
const SERVICES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 96, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, 1)),
];

/// The way from each Service to the server, in a cgroup.
fn balance(pods: &Pods, cgroup: &std::path::Path) -> Result<[Balancer; 3]> {
    let server = &pods.server.addresses;
    let attach = |service, backend: IpAddr| {
        let service = SocketAddr::new(service, 80);
        Balancer::attach(cgroup, service, SocketAddr::new(backend, PORT))
    };
    Ok([
        attach(SERVICES[0], server.v4.into())?,
        attach(SERVICES[1], server.v4.into())?,
        attach(SERVICES[2], server.v6.into())?,
    ])
}

fn watch(pods: &Pods, dialed: &str) -> Result<Product> {
    let aggregator = Aggregator::start()?;
    let setting = format!("INSIGHT_DIALED={dialed}");
    let starter = ["env", &setting];
    let agent = Agent::started_by(&starter, &aggregator, NODE, &pods.root, "300ms")?;
    Product::of(aggregator, agent)
}

/// Calls each Service and the server itself; what must be dialed by.
fn call(pods: &Pods, product: &Product) -> Result<()> {
    let _serving = serve(&pods.server, PORT)?;
    let mut done = run_client(
        &pods.client,
        &Plan::new(at(pods.server.addresses.v4, PORT), 5, 100, 200),
    )?;
    for service in SERVICES {
        done += run_client(&pods.client, &Plan::new(at(service, 80), 10, 300, 700))?;
    }
    product.expect(pods, PORT, &Counts::finished(&done))
}

fn expect_dialed(pods: &Pods, product: &Product, expected: &[SocketAddr]) -> Result<()> {
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    expected.sort();
    for (level, _) in pods.ends() {
        for edges in product.every_reader(level)? {
            ensure!(edges.len() == 1, "{edges:#?}");
            let mut dialed = edges[0].dialed.clone();
            dialed.sort();
            ensure!(dialed == expected, "{dialed:?} is not {expected:?}");
        }
    }
    Ok(())
}

fn services() -> [SocketAddr; 3] {
    SERVICES.map(|service| SocketAddr::new(service, 80))
}

#[test]
fn a_balancer_that_was_there_before_is_found() -> Result<()> {
    Pods::exact("a balancer that was there before is found", |pods| {
        let _balancers = balance(pods, pods.root.path())?;
        let product = watch(pods, "auto")?;
        call(pods, &product)?;
        expect_dialed(pods, &product, &services())
    })
}

#[test]
fn a_balancer_that_comes_later_or_sits_deeper_comes_second() -> Result<()> {
    Pods::exact(
        "a balancer that comes later or sits deeper comes second",
        |pods| {
            let product = watch(pods, "on")?;
            let _balancers = balance(pods, &pods.client.container.cgroup.unified)?;
            call(pods, &product)?;
            expect_dialed(pods, &product, &services())
        },
    )
}

#[test]
fn without_it_the_backend_is_all_that_is_seen() -> Result<()> {
    Pods::exact("without it the backend is all that is seen", |pods| {
        let _balancers = balance(pods, pods.root.path())?;
        let product = watch(pods, "off")?;
        call(pods, &product)?;
        expect_dialed(pods, &product, &[])
    })
}
