//! How long answers took.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::time::rfc3339;
use crate::model::{UnixMs, now_ms};

/// Answers that are remembered, as many as Cluster Insight did.
const MAX: usize = 1_000;

struct Timing {
    started: UnixMs,
    what: String,
    thread: String,
    took: Duration,
}

/// The newest answers.
#[derive(Default)]
pub(super) struct Timings(Mutex<VecDeque<Timing>>);

/// A request that is being answered.
pub(super) struct Running {
    at: UnixMs,
    started: Instant,
    what: String,
}

impl Timings {
    /// A request came in.
    pub(super) fn start(what: String) -> Running {
        Running {
            at: now_ms(),
            started: Instant::now(),
            what,
        }
    }

    /// It was answered.
    pub(super) fn done(&self, running: Running) {
        let mut timings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if timings.len() == MAX {
            timings.pop_front();
        }
        timings.push_back(Timing {
            started: running.at,
            what: running.what,
            thread: format!("{:?}", std::thread::current().id()),
            took: running.started.elapsed(),
        });
    }

    /// All of them, oldest first. They stay.
    pub(super) fn json(&self) -> Value {
        let timings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds: Vec<f64> = timings.iter().map(|one| one.took.as_secs_f64()).collect();
        let count = u32::try_from(seconds.len()).unwrap_or(u32::MAX);
        let items: Vec<Value> = timings
            .iter()
            .map(|one| {
                json!({
                    "start_time": rfc3339(one.started),
                    "what": one.what,
                    "threadIdentifier": one.thread,
                    "elapsed_seconds": one.took.as_secs_f64(),
                })
            })
            .collect();
        json!({
            "count": count,
            "min": seconds.iter().copied().reduce(f64::min),
            "max": seconds.iter().copied().reduce(f64::max),
            "average": (count > 0).then(|| seconds.iter().sum::<f64>() / f64::from(count)),
            "items": items,
        })
    }
}
