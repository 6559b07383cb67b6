//! Counted / true, when as many connections are made as go.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::contender::client_and_server;
use super::progress;
use super::row::{Budget, Row};
use super::scale::Scale;
use super::traffic::Load;
use super::world::World;
use crate::product::Aggregator;
use crate::reader::Counts;
use crate::wait::eventually;

/// The counts are final after an interval; several pass before they are taken as they are.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs on fresh ports each.
const RUNS: u64 = 10;

pub(super) fn run(scale: &Scale) -> Result<Vec<Row>> {
    let aggregator = Aggregator::start()?;
    let world = World::new()?;
    let _agent = world.agent(&aggregator)?;
    let reader = aggregator.reader()?;
    let mut truth = Counts::default();
    let mut ports = Vec::new();
    for number in 1..=RUNS {
        let done = Load::short(scale.connections).run(&world)?;
        progress(format!(
            "run {number} of {RUNS}: {} connections, {:.0}/s",
            done.tally.connections,
            done.connection_rate()
        ));
        truth += Counts::finished(&done.tally);
        ports.extend(done.ports);
    }
    let counted = eventually(PATIENCE, "all to be counted", || {
        let counted = client_and_server(&reader, &world, &ports)?;
        ensure!(
            counted.iter().all(|view| *view == truth),
            "{counted:?} of {truth:?}"
        );
        Ok(counted)
    });
    // Not all: then that is the figure.
    let [client, server] = match counted {
        Ok(counted) => counted,
        Err(error) => {
            progress(format!("{error:#}"));
            client_and_server(&reader, &world, &ports)?
        }
    };
    let ratio = |what: &str, counted: u64, truth: u64| {
        Row::new(
            format!("counted / true {what}"),
            counted as f64 / truth as f64,
            "ratio",
        )
        .digits(6)
        .budget(Budget::Exactly(1.0))
    };
    Ok(vec![
        ratio(
            &format!("connections, client's view, of {}", truth.opened),
            client.closed,
            truth.closed,
        ),
        ratio("connections, server's view", server.closed, truth.closed),
        ratio(
            &format!("payload bytes, client's view, of {}", bytes(&truth)),
            bytes(&client),
            bytes(&truth),
        ),
        ratio(
            "payload bytes, server's view",
            bytes(&server),
            bytes(&truth),
        ),
    ])
}

fn bytes(counts: &Counts) -> u64 {
    counts.bytes_sent + counts.bytes_received
}
