//! UDP: who talks to whom, and how many datagrams and bytes, exactly, at both ends.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use insight_tests::datagrams::{
    Counts, edge, edges, expect, run, runs_of_udp, serve, serve_as, watch,
};
use insight_tests::load::udp::Plan;
use insight_tests::pins::BpfFs;
use insight_tests::pod::Pod;
use insight_tests::process::Process;
use insight_tests::product::{Agent, Aggregator};
use insight_tests::traffic::{Held, at, finish_client, load, serve as serve_tcp};
use insight_tests::wait::PATIENCE;
use insight_tests::world::{NODE, Pods, Product};

/// A server on all addresses of both families.
fn everywhere(pod: &Pod, port: u16) -> Result<Process> {
    serve(pod, &["--listen", &format!("[::]:{port}")])
}

/// Each family by sockets of each kind, on a port of its own.
fn kinds(pods: &Pods) -> [(&'static str, IpAddr, bool, u16); 6] {
    let to = pods.server.addresses;
    [
        ("IPv4", to.v4.into(), false, 7001),
        ("IPv4, connected", to.v4.into(), true, 7002),
        ("IPv6", to.v6.into(), false, 7003),
        ("IPv6, connected", to.v6.into(), true, 7004),
        ("mapped", to.mapped(), false, 7005),
        ("mapped, connected", to.mapped(), true, 7006),
    ]
}

fn varied(to: IpAddr, port: u16, connect: bool) -> Plan {
    let mut plan = Plan::new(at(to, port), 17, 237, 3_001);
    plan.requests = 5;
    plan.concurrency = NonZeroUsize::MIN.saturating_add(2);
    plan.connect = connect;
    plan
}

#[test]
fn datagrams_and_bytes_are_exact_at_both_ends() -> Result<()> {
    Pods::exact("datagrams and bytes are exact at both ends", |pods| {
        let product = watch(pods, "bytes")?;
        for (kind, to, connect, port) in kinds(pods) {
            let _serving = everywhere(&pods.server, port)?;
            let tally = run(&pods.client, &varied(to, port, connect))?;
            ensure!(tally.requests == 85, "{tally:?}");
            expect(pods, &product, port, &Counts::of(&tally))
                .map_err(|error| error.context(kind))?;
        }
        Ok(())
    })
}

#[test]
fn edges_alone_say_who_talks_to_whom() -> Result<()> {
    Pods::exact("edges alone say who talks to whom", |pods| {
        let product = watch(pods, "edges")?;
        for (kind, to, connect, port) in kinds(pods) {
            let _serving = everywhere(&pods.server, port)?;
            let tally = run(&pods.client, &varied(to, port, connect))?;
            let counts = Counts {
                opened: tally.connections,
                ..Counts::default()
            };
            expect(pods, &product, port, &counts).map_err(|error| error.context(kind))?;
        }
        let all = edges(&product)?;
        ensure!(all.len() == kinds(pods).len(), "{all:#?}");
        Ok(())
    })
}

#[test]
fn lookups_of_names_are_counted_in_either_mode() -> Result<()> {
    for mode in ["edges", "bytes"] {
        Pods::exact(&format!("lookups of names, {mode}"), |pods| {
            let product = watch(pods, mode)?;
            let port = 7053;
            let listen = format!("[::]:{port}");
            let _serving = serve_as(&pods.server, "dns-server", &["--listen", &listen])?;
            let to = at(pods.server.addresses.v4, port).to_string();
            let args = ["dns-client", "--to", &to, "--queries", "40"];
            let tally = finish_client(pods.client.spawn("dns-client", load(args)?)?)?;
            ensure!(
                tally.requests == 40 && tally.bytes_received > tally.bytes_sent,
                "{tally:?}"
            );
            let counts = match mode {
                "bytes" => Counts::of(&tally),
                _ => Counts {
                    opened: tally.connections,
                    ..Counts::default()
                },
            };
            expect(pods, &product, port, &counts)
        })?;
    }
    Ok(())
}

#[test]
fn many_clients_of_one_server_are_told_apart() -> Result<()> {
    Pods::exact("many clients of one server are told apart", |pods| {
        let product = watch(pods, "bytes")?;
        let port = 7001;
        let _serving = serve(
            &pods.server,
            &["--listen", &format!("[::]:{port}"), "--peek"],
        )?;
        let to = at(pods.server.addresses.v4, port);
        let others = [
            Pod::new(&pods.net, &pods.root)?,
            Pod::new(&pods.net, &pods.root)?,
        ];
        let clients = [&pods.client, &others[0], &others[1]];
        let plans = [(300, 20, 40), (100, 30, 0), (50, 1_400, 9_000)];
        let running = clients
            .iter()
            .zip(plans)
            .map(|(pod, (sockets, send, receive))| {
                pod.spawn(
                    "udp-client",
                    load(Plan::new(to, sockets, send, receive).to_args())?,
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let tallies = running.into_iter().map(finish_client);
        let tallies = tallies.collect::<Result<Vec<_>>>()?;
        pods.eventually("each client's own edge", || {
            let edges = edges(&product)?;
            ensure!(edges.len() == clients.len(), "{edges:#?}");
            for (pod, tally) in clients.iter().zip(&tallies) {
                let edge = edges.iter().find(|edge| edge["client"] == pod.node_id());
                let edge = edge.with_context(|| format!("no edge of {}", pod.uid))?;
                for view in ["client_view", "server_view"] {
                    let found = Counts::read(&edge[view])?;
                    ensure!(found == Some(Counts::of(tally)), "{tally:?} is not {edge}");
                }
            }
            Ok(())
        })
    })
}

#[test]
fn groups_are_clients_destinations_and_whoever_answers_is_a_server() -> Result<()> {
    for mode in ["edges", "bytes"] {
        Pods::exact(&format!("groups, {mode}"), |pods| {
            let product = watch(pods, mode)?;
            let port = 7001;
            let group = "239.7.7.7";
            for pod in [&pods.client, &pods.server] {
                for to in ["224.0.0.0/4", "255.255.255.255/32"] {
                    pod.namespace.ip(&["route", "add", to, "dev", "eth0"])?;
                }
            }
            let listen = format!("0.0.0.0:{port}");
            let _serving = serve(&pods.server, &["--listen", &listen, "--join", group])?;
            let to_group = Plan::new(format!("{group}:{port}").parse()?, 5, 50, 60);
            let to_all = Plan::new(format!("255.255.255.255:{port}").parse()?, 3, 50, 60);
            let tallies = [run(&pods.client, &to_group)?, run(&pods.client, &to_all)?];
            let answers = tallies[0].connections + tallies[1].connections;
            pods.eventually("the edge to whoever answered", || {
                let edges = edges(&product)?;
                // No port of a client is taken for a server's.
                ensure!(edges.iter().all(|edge| edge["port"] == port), "{edges:#?}");
                let (client, server) = (pods.client.node_id(), pods.server.node_id());
                let found = edges
                    .iter()
                    .find(|edge| edge["client"] == client && edge["server"] == server);
                let found = found.with_context(|| format!("{edges:#?}"))?;
                for view in ["client_view", "server_view"] {
                    let opened = &found[view]["connections_opened"];
                    ensure!(*opened == answers, "{found}");
                }
                Ok(())
            })
        })?;
    }
    Ok(())
}

#[test]
fn of_older_sockets_nobody_knows_who_began() -> Result<()> {
    Pods::exact("of older sockets nobody knows who began", |pods| {
        let (older, newer) = (7001, 7002);
        let _serving = [
            everywhere(&pods.server, older)?,
            everywhere(&pods.server, newer)?,
        ];
        let to = |port| at(pods.server.addresses.v4, port);
        // Its port is chosen by the program, so that even a connected socket's role is open.
        let mut plan = Plan::new(to(older), 1, 100, 200);
        (plan.port, plan.requests, plan.hold) = (7_099, 3, true);
        let mut held = pods.client.spawn("udp-client", load(plan.to_args())?)?;
        held.line(PATIENCE)?;
        let product = watch(pods, "bytes")?;
        held.tell("3")?;
        held.line(PATIENCE)?;
        pods.eventually("what was sent since", || {
            let edge = edge(&product, older)?;
            ensure!(edge["role_unknown"] == true, "{edge}");
            for view in ["client_view", "server_view"] {
                let expected = Counts {
                    opened: 1,
                    messages_sent: 3,
                    messages_received: 3,
                    bytes_sent: 300,
                    bytes_received: 600,
                };
                ensure!(Counts::read(&edge[view])? == Some(expected), "{edge}");
            }
            Ok(())
        })?;
        // A new client of an older server is known for one, and so is the server by it.
        let tally = run(&pods.client, &Plan::new(to(newer), 4, 20, 30))?;
        expect(pods, &product, newer, &Counts::of(&tally))?;
        held.close_stdin();
        held.finish(PATIENCE)?;
        Ok(())
    })
}

#[test]
fn a_refusal_is_counted() -> Result<()> {
    Pods::exact("a refusal is counted", |pods| {
        let product = watch(pods, "bytes")?;
        let port = 7001;
        let mut plan = Plan::new(at(pods.server.addresses.v4, port), 1, 20, 30);
        plan.connect = true;
        let ended = run(&pods.client, &plan);
        ensure!(ended.is_err(), "nobody listens, and {ended:?}");
        pods.eventually("the refusal", || {
            let edge = edge(&product, port)?;
            let view = &edge["client_view"];
            ensure!(
                view["failures"]["refused"] == 1 && view["messages_sent"] == 1,
                "{edge}"
            );
            Ok(())
        })
    })
}

#[test]
fn off_is_off_and_tcp_runs_nothing_of_udp() -> Result<()> {
    for (mode, by_message) in [("off", 0), ("edges", 0), ("bytes", 4)] {
        Pods::exact(&format!("TCP, --udp {mode}"), |pods| {
            let product = watch(pods, mode)?;
            let (tcp, udp) = (7001, 7002);
            let _serving = [
                serve_tcp(&pods.server, tcp)?,
                everywhere(&pods.server, udp)?,
            ];
            let requests = 500;
            let mut held = Held::open(&pods.client, at(pods.server.addresses.v4, tcp), 1, 0)?;
            held.exchange(64, 64)?;
            let runs = runs_of_udp(&product.agent, || {
                for _ in 0..requests {
                    held.exchange(64, 64)?;
                }
                Ok(())
            })?;
            // Other programs of this machine have messages too; nothing takes a run away.
            let lengths = |name: &&str| !matches!(*name, "udp_sent" | "udp_received");
            let names: Vec<&str> = runs.keys().map(String::as_str).collect();
            match mode {
                "off" => ensure!(names.is_empty(), "{runs:?}"),
                "edges" => ensure!(names.len() == 5 && names.iter().all(lengths), "{runs:?}"),
                _ => ensure!(names.len() == 6, "{runs:?}"),
            }
            let of_lengths: u64 = runs
                .iter()
                .filter(|(name, _)| !lengths(&name.as_str()))
                .map(|(_, count)| count)
                .sum();
            let addressed: u64 = runs
                .iter()
                .filter(|(name, _)| lengths(&name.as_str()))
                .map(|(_, count)| count)
                .sum();
            ensure!(addressed == 0, "messages of TCP ran {runs:?}");
            ensure!(of_lengths >= by_message * requests, "{runs:?}");
            held.close()?;
            let tally = run(
                &pods.client,
                &Plan::new(at(pods.server.addresses.v4, udp), 3, 20, 30),
            )?;
            product.settle()?;
            if mode == "off" {
                let edges = edges(&product)?;
                ensure!(edges.is_empty(), "{edges:#?}");
                return Ok(());
            }
            pods.eventually("the edge", || {
                let edge = edge(&product, udp)?;
                ensure!(
                    edge["client_view"]["connections_opened"] == tally.connections,
                    "{edge}"
                );
                Ok(())
            })
        })?;
    }
    Ok(())
}

#[test]
fn a_killed_agent_loses_no_datagram() -> Result<()> {
    Pods::exact("a killed agent loses no datagram", |pods| {
        let aggregator = Aggregator::start()?;
        let bpf = BpfFs::new()?;
        let flags = ["--udp", "bytes"];
        let mut agent = Agent::pinned_with(&aggregator, NODE, &pods.root, &bpf.folder(), &flags)?;
        let port = 7001;
        let _serving = everywhere(&pods.server, port)?;
        let mut plan = Plan::new(at(pods.server.addresses.v4, port), 5, 70, 800);
        plan.requests = 40;
        let mut truth = run(&pods.client, &plan)?;
        agent.daemon.kill()?;
        truth += run(&pods.client, &plan)?;
        agent.restart()?;
        truth += run(&pods.client, &plan)?;
        let product = Product::of(aggregator, agent)?;
        expect(pods, &product, port, &Counts::of(&truth))
    })
}
