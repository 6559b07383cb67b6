//! Traffic that a readout meets in every state a connection can be in, and of which every byte is known.
//!
//! An overcount heals in a flow that goes on and stays in one that rests. So most of this goes to one of many addresses of
//! the server, each of which makes a flow of its own with few connections, and all of which are one edge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::client::{Ending, Plan};
use crate::load::tally::Tally;
use crate::process::Process;
use crate::traffic::{Held, at, run_client, serve};
use crate::wait::pause;
use crate::world::Pods;

/// Further addresses of the server, half of them IPv4 and half IPv6.
const ADDRESSES: u8 = 40;

/// Ports that one churn takes.
pub const PORTS: u16 = 8;

/// Connections that are not accepted when their listener ends.
const DOOMED: u64 = 5;

/// What was done.
pub struct Done {
    /// By port.
    pub truth: Vec<(u16, Tally)>,
    /// They still close what the clients have closed.
    pub servers: Vec<Process>,
}

/// One part of the churn, which works until a moment.
type Actor<'a> = Box<dyn FnOnce(Instant) -> Result<Tally> + Send + 'a>;

/// Makes traffic for some time on the ports from `base` on, while `watch` is called again and again.
pub fn run(
    pods: &Pods,
    base: u16,
    time: Duration,
    mut watch: impl FnMut() -> Result<()>,
) -> Result<Done> {
    let addresses = &further_addresses(pods)?;
    let port = |number: u16| base + number;
    let servers = (0..PORTS)
        .map(|number| serve(&pods.server, port(number)))
        .collect::<Result<Vec<_>>>()?;
    let (late, doomed) = (pid_of(&servers[6])?, pid_of(&servers[7])?);
    let actors: Vec<(u16, Actor<'_>)> = vec![
        // A busy flow with everything in it.
        actor(port(0), move |until| {
            busy(pods, port(0), Ending::Close, until)
        }),
        actor(port(0), move |until| {
            busy(pods, port(0), Ending::Reset, until)
        }),
        actor(port(0), move |until| {
            busy(pods, port(0), Ending::HalfClose, until)
        }),
        actor(port(0), move |until| {
            shared(pods, &[pods.server.addresses.v4.into()], port(0), until)
        }),
        // Flows that come to rest.
        actor(port(1), move |until| {
            resting(pods, addresses, port(1), Ending::Close, until)
        }),
        actor(port(2), move |until| {
            resting(pods, addresses, port(2), Ending::Reset, until)
        }),
        actor(port(3), move |until| {
            resting(pods, addresses, port(3), Ending::HalfClose, until)
        }),
        actor(port(4), move |until| {
            shared(pods, addresses, port(4), until)
        }),
        actor(port(5), move |until| {
            bursts(pods, addresses, port(5), until)
        }),
        // Their server is stopped half of the time: connections wait to be accepted, and closers wait for their peers.
        actor(port(6), move |until| {
            one_way(pods, addresses, port(6), until)
        }),
        actor(port(6), move |until| {
            unread(pods, addresses, port(6), until)
        }),
        actor(port(6), move |until| dawdle(late, until)),
        actor(port(7), move |until| orphans(pods, port(7), doomed, until)),
    ];
    let until = Instant::now() + time;
    let truth = thread::scope(|scope| {
        let running: Vec<_> = actors
            .into_iter()
            .map(|(port, act)| (port, scope.spawn(move || act(until))))
            .collect();
        let mut watched = Ok(());
        while watched.is_ok() && running.iter().any(|(_, actor)| !actor.is_finished()) {
            watched = watch();
            pause(Duration::from_millis(20));
        }
        let mut truth = Vec::new();
        for (port, actor) in running {
            let tally = actor.join().map_err(|_| anyhow!("an actor panicked"))?;
            truth.push((
                port,
                tally.with_context(|| format!("churn on port {port}"))?,
            ));
        }
        watched.map(|()| truth)
    })?;
    Ok(Done {
        truth: by_port(truth),
        servers,
    })
}

fn actor<'a>(
    port: u16,
    act: impl FnOnce(Instant) -> Result<Tally> + Send + 'a,
) -> (u16, Actor<'a>) {
    (port, Box::new(act))
}

fn by_port(parts: Vec<(u16, Tally)>) -> Vec<(u16, Tally)> {
    let mut sums = std::collections::BTreeMap::<u16, Tally>::new();
    for (port, tally) in parts {
        *sums.entry(port).or_default() += tally;
    }
    sums.into_iter().collect()
}

fn pid_of(process: &Process) -> Result<Pid> {
    i32::try_from(process.pid())
        .ok()
        .and_then(Pid::from_raw)
        .context("a process id is positive")
}

/// Gives the server its further addresses.
fn further_addresses(pods: &Pods) -> Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for number in 0..ADDRESSES {
        let (address, prefix) = if number % 2 == 0 {
            (IpAddr::from(Ipv4Addr::new(10, 244, 1, number + 1)), 32)
        } else {
            let part = u16::from(number);
            (
                Ipv6Addr::new(0xfd00, 0x10, 0x244, 1, 0, 0, 0, part).into(),
                128,
            )
        };
        let text = format!("{address}/{prefix}");
        let namespace = &pods.server.namespace;
        namespace.ip(&["addr", "replace", &text, "dev", "eth0", "nodad"])?;
        pods.client
            .namespace
            .ip(&["route", "replace", &text, "dev", "eth0"])?;
        addresses.push(address);
    }
    Ok(addresses)
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

/// Goes through the addresses again and again until a moment, and sums up what was done with each.
fn in_turn<'a>(
    addresses: impl Iterator<Item = &'a IpAddr> + Clone,
    until: Instant,
    mut act: impl FnMut(IpAddr) -> Result<Tally>,
) -> Result<Tally> {
    let mut sum = Tally::default();
    for address in addresses.cycle() {
        if Instant::now() >= until {
            break;
        }
        sum += act(*address)?;
    }
    Ok(sum)
}

fn busy(pods: &Pods, port: u16, ending: Ending, until: Instant) -> Result<Tally> {
    let address = [pods.server.addresses.v4.into()];
    in_turn(address.iter(), until, |address| {
        let mut plan = Plan::new(at(address, port), 150, 200, 3_000);
        (plan.concurrency, plan.requests, plan.ending) = (threads(3), 2, ending);
        run_client(&pods.client, &plan)
    })
}

/// A few connections to each address in turn.
fn resting(
    pods: &Pods,
    addresses: &[IpAddr],
    port: u16,
    ending: Ending,
    until: Instant,
) -> Result<Tally> {
    in_turn(addresses.iter(), until, |address| {
        let mut plan = Plan::new(at(address, port), 4, 1_000, 40_000);
        (plan.concurrency, plan.requests, plan.ending) = (threads(2), 3, ending);
        run_client(&pods.client, &plan)
    })
}

/// Connections whose descriptors three processes have, some open for several readouts.
fn shared(pods: &Pods, addresses: &[IpAddr], port: u16, until: Instant) -> Result<Tally> {
    let mut exchanges = (1..=8).cycle();
    in_turn(addresses.iter(), until, |address| {
        let mut held = Held::open(&pods.client, at(address, port), 3, 2)?;
        for _ in 0..exchanges.next().unwrap_or(1) {
            held.exchange(700, 9_000)?;
            pause(Duration::from_millis(15));
        }
        held.close()
    })
}

fn bursts(pods: &Pods, addresses: &[IpAddr], port: u16, until: Instant) -> Result<Tally> {
    in_turn(addresses.iter(), until, |address| {
        let mut plan = Plan::new(at(address, port), 100, 500, 500);
        plan.concurrency = threads(50);
        let tally = run_client(&pods.client, &plan)?;
        pause(Duration::from_millis(130));
        Ok(tally)
    })
}

/// Requests without a reply: the client closes at once, and its peer has not read yet. Slow enough for the accept queue.
fn one_way(pods: &Pods, addresses: &[IpAddr], port: u16, until: Instant) -> Result<Tally> {
    in_turn(addresses.iter(), until, |address| {
        let mut plan = Plan::new(at(address, port), 8, 3_000, 0);
        (plan.concurrency, plan.rate) = (threads(2), 100.0);
        run_client(&pods.client, &plan)
    })
}

/// The same with connections that stay open for a while, accepted or not.
fn unread(pods: &Pods, addresses: &[IpAddr], port: u16, until: Instant) -> Result<Tally> {
    in_turn(addresses.iter().rev(), until, |address| {
        let mut held = Held::open(&pods.client, at(address, port), 4, 1)?;
        for _ in 0..3 {
            held.exchange(2_500, 0)?;
            pause(Duration::from_millis(40));
        }
        held.close()
    })
}

/// Stops a server half of the time.
fn dawdle(server: Pid, until: Instant) -> Result<Tally> {
    let signal = |signal| kill_process(server, signal).context("signal the late server");
    while Instant::now() < until {
        signal(Signal::STOP)?;
        pause(Duration::from_millis(230));
        signal(Signal::CONT)?;
        pause(Duration::from_millis(170));
    }
    Ok(Tally::default())
}

/// Connections that carry something and are not accepted when their server is killed, which resets them.
fn orphans(pods: &Pods, port: u16, server: Pid, until: Instant) -> Result<Tally> {
    kill_process(server, Signal::STOP)?;
    let mut held = Held::open(&pods.client, at(pods.server.addresses.v6, port), DOOMED, 0)?;
    held.exchange(1_500, 0)?;
    pause(until.saturating_duration_since(Instant::now()) / 2);
    held.exchange(800, 0)?;
    // On a busy machine the last bytes may be on their way for a while, and a reset would overtake them.
    pause(Duration::from_millis(500));
    kill_process(server, Signal::KILL)?;
    let tally = held.close()?;
    ensure!(tally.connections == DOOMED, "{tally:?}");
    Ok(tally)
}
