//! Many flows: one connection to, or from, each of many addresses that follow one another, again and again.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::args::Flags;
use super::client;
use super::protocol::HEADER;
use super::tally::Tally;
use crate::wait::pause;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first address, or the only one if there are several to come from.
    pub to: SocketAddrV4,
    /// The first address to come from.
    pub from: Option<Ipv4Addr>,
    /// How many addresses, counting up from the first.
    pub addresses: u32,
    /// How often to go through all of them.
    pub rounds: u64,
    /// Connections per second; 0 for as many as go.
    pub rate: f64,
    /// Bytes of each request.
    pub send: u64,
    /// Bytes of each reply.
    pub receive: u64,
}

impl Plan {
    /// From the command line.
    pub fn from_flags(flags: &mut Flags) -> Result<Self> {
        let plan = Self {
            to: flags.required("--to")?,
            from: flags.optional("--from")?,
            addresses: flags.required("--addresses")?,
            rounds: flags.optional("--rounds")?.unwrap_or(1),
            rate: flags.optional("--rate")?.unwrap_or(0.0),
            send: flags.required("--send")?,
            receive: flags.required("--receive")?,
        };
        ensure!(
            plan.send >= HEADER as u64,
            "--send has {HEADER} bytes at least"
        );
        ensure!(
            u32::from(plan.first())
                .checked_add(plan.addresses)
                .is_some(),
            "there are no {} addresses from {} on",
            plan.addresses,
            plan.first()
        );
        flags.finish()?;
        Ok(plan)
    }

    fn first(&self) -> Ipv4Addr {
        self.from.unwrap_or(*self.to.ip())
    }

    /// As a command line for `insight-load`.
    pub fn to_args(&self) -> Vec<String> {
        let from = self.from.map(|from| format!(" --from {from}"));
        let from = from.unwrap_or_default();
        format!(
            "sweep --to {}{from} --addresses {} --rounds {} --rate {} --send {} --receive {}",
            self.to, self.addresses, self.rounds, self.rate, self.send, self.receive
        )
        .split(' ')
        .map(str::to_owned)
        .collect()
    }
}

/// Runs the plan and prints what was done.
pub fn run(plan: &Plan) -> Result<()> {
    let start = Instant::now();
    let mut tally = Tally::default();
    for _ in 0..plan.rounds {
        for offset in 0..plan.addresses {
            if plan.rate > 0.0 {
                let due = Duration::from_secs_f64(tally.connections as f64 / plan.rate);
                pause(due.saturating_sub(start.elapsed()));
            }
            let ip = Ipv4Addr::from(u32::from(plan.first()) + offset);
            let (from, to) = match plan.from {
                Some(_) => (Some(ip), plan.to),
                None => (None, SocketAddrV4::new(ip, plan.to.port())),
            };
            let one = client::Plan::new(to.into(), 1, plan.send, plan.receive);
            tally += client::connect_once(&one, from)?;
        }
    }
    println!("{}", tally.to_json());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_command_line() {
        let plan = Plan {
            to: SocketAddrV4::new(Ipv4Addr::new(10, 245, 0, 1), 80),
            from: Some(Ipv4Addr::new(198, 18, 0, 1)),
            addresses: 7,
            rounds: 3,
            rate: 2.5,
            send: 16,
            receive: 0,
        };
        let again = |args: Vec<String>| {
            Plan::from_flags(&mut Flags::parse(args.into_iter().skip(1)).unwrap())
        };
        let parsed = again(plan.to_args()).unwrap();
        assert_eq!(format!("{plan:?}"), format!("{parsed:?}"));
        let too_many = Plan {
            from: Some(Ipv4Addr::BROADCAST),
            ..plan
        };
        assert!(again(too_many.to_args()).is_err());
    }
}
