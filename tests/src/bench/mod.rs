//! `insight-bench`: what the product costs and how fast it is, measured on this machine and shown beside the budgets.
//!
//! One file a measurement, each a function from a [`Scale`] to rows of the table. A figure is always the outcome of a run:
//! where one cannot be had, the measurement fails and says why.

pub(crate) mod bpf;
mod conntrack;
mod contender;
mod contest;
mod cpu;
mod crowd;
mod datagrams;
mod fdinfo;
mod machine;
mod options;
mod others;
mod packet_counter;
mod random;
mod rounds;
mod row;
mod scale;
pub(crate) mod stats;
mod table;
mod traffic;
mod world;

mod agent_load;
mod bpf_connection;
mod bpf_message;
mod completeness;
mod graph;
mod ingest;
mod names;
mod new_edge;
mod readout;
mod request_cost;
mod request_response;
mod scheduler;
mod short_connections;
mod udp_cost;
mod udp_ways;

use std::process::ExitCode;

use anyhow::{Context, Result};

use machine::Machine;
use options::{Options, Wish};
use row::Row;
use scale::Scale;

/// Something that can be measured.
struct Measurement {
    name: &'static str,
    about: &'static str,
    run: fn(&Scale) -> Result<Vec<Row>>,
}

/// All of them, in the order of the table.
const ALL: [Measurement; 15] = [
    Measurement {
        name: "bpf-connection",
        about: "BPF time of a TCP connection, both ends, from connect to close; of a per-packet counter, too",
        run: bpf_connection::run,
    },
    Measurement {
        name: "bpf-message",
        about: "BPF runs and time of a message on an open connection; of a per-packet counter, too",
        run: bpf_message::run,
    },
    Measurement {
        name: "short-connections",
        about: "short connections a second: no agent, Insight, a per-packet counter, conntrack",
        run: short_connections::run,
    },
    Measurement {
        name: "request-response",
        about: "requests a second on open connections, with the same ones",
        run: request_response::run,
    },
    Measurement {
        name: "request-cost",
        about: "what a request costs: no agent, Insight, its programs alone, no agent again, in pairs",
        run: request_cost::run,
    },
    Measurement {
        name: "udp-ways",
        about: "ways to see UDP: how often a program would run, and what that costs TCP",
        run: udp_ways::run,
    },
    Measurement {
        name: "udp-cost",
        about: "requests over TCP and over UDP with each mode of --udp, and BPF time of a datagram",
        run: udp_cost::run,
    },
    Measurement {
        name: "completeness",
        about: "counted / true connections and payload bytes, at full speed",
        run: completeness::run,
    },
    Measurement {
        name: "readout",
        about: "time of one pass over the open sockets, for each of them",
        run: readout::run,
    },
    Measurement {
        name: "agent",
        about: "the agent's readout, CPU and memory with many open sockets and new connections",
        run: agent_load::run,
    },
    Measurement {
        name: "scheduler",
        about: "switches of threads a second, with and without the agent and --sched; its pass over all threads",
        run: scheduler::run,
    },
    Measurement {
        name: "ingest",
        about: "flow records that the aggregator makes durable, and what they cost",
        run: ingest::run,
    },
    Measurement {
        name: "names",
        about: "memory and speed of the index of 100,000 pods, and of the graph of 1,000,000 edges between them",
        run: names::run,
    },
    Measurement {
        name: "graph",
        about: "time of a graph of 50,000 edges, and until a hundred subscribers hear of a change",
        run: graph::run,
    },
    Measurement {
        name: "new-edge",
        about: "time from a first connection to a gRPC subscriber",
        run: new_edge::run,
    },
];

/// Does what the command line asks for.
pub fn main(args: impl IntoIterator<Item = String>) -> Result<ExitCode> {
    let args: Vec<String> = args.into_iter().collect();
    if let Some((worker, rest)) = args.split_first()
        && let Some(result) = crowd::work(worker, rest).or_else(|| contender::work(worker, rest))
    {
        return result.map(|()| ExitCode::SUCCESS);
    }
    match options::parse(args)? {
        Wish::Help => print!("{}", options::HELP),
        Wish::List => {
            for measurement in &ALL {
                println!("{:<18} {}", measurement.name, measurement.about);
            }
        }
        Wish::Measure(options) => return measure(&options),
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(options: &Options) -> Result<ExitCode> {
    anyhow::ensure!(
        rustix::process::geteuid().is_root(),
        "measuring loads programs into the kernel and makes network namespaces: it needs root; run it with sudo, or use \
         `cargo xtask bench`"
    );
    let machine = Machine::read().context("read what this machine is")?;
    let scale = Scale::new(options.quick);
    let mut rows = Vec::new();
    for measurement in ALL.iter().filter(|one| options.wants(one.name)) {
        eprintln!("=== {}: {}", measurement.name, measurement.about);
        match (measurement.run)(&scale) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{} failed: {error:#}", measurement.name);
                rows.push(Row::failed(measurement.name));
            }
        }
    }
    let table = match options.markdown {
        true => table::markdown(&rows),
        false => table::text(&rows),
    };
    println!("{machine}\n\n{table}");
    // Over budget is an answer; no answer is a failure.
    Ok(match rows.iter().any(Row::has_failed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Says on standard error what goes on.
fn progress(text: impl std::fmt::Display) {
    eprintln!("  {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
