//! Changes of a socket's state that no BPF program can have seen.
//!
//! Sandboxed machines exist whose kernel runs no tracing program in the threads of the sandbox's own first process, without counting it as a
//! miss: seen on a Linux 6.18 guest, where six of six lost closes happened in a softirq (a delayed ACK's timer) that interrupted
//! a thread of process 1. The tracepoint itself fires there, and ftrace shows it. So whoever counts exactly asks this witness, and
//! repeats a round that was spoiled. A miscount in a round that was not spoiled stays a failure.

use std::fs;
use std::ops::Range;

use anyhow::{Result, bail, ensure};

use crate::ftrace::{Change, Trace};

/// Ports of the tests' servers. Other tests that run at the same time have the same ones, so they can spoil a round too; that
/// costs time only.
pub const PORTS: Range<u16> = 7000..7100;

/// Rounds that may be spoiled before a test gives up.
const ROUNDS: usize = 24;

/// Room for the changes of one round, KiB: two thousand for each CPU, where there are a few.
const ROOM: u32 = 256;

/// Watches the changes of state in the threads of process 1.
pub struct Witness(Option<Trace>);

impl Witness {
    /// Watches from now on. Where there is no ftrace it sees nothing, and no round is spoiled.
    pub fn start() -> Self {
        let trace = threads_of_first_process()
            .and_then(|threads| Trace::start(&PORTS, Some(&threads), ROOM));
        if let Err(error) = &trace {
            eprintln!("no witness of hidden changes of state: {error:#}");
        }
        Self(trace.ok())
    }

    /// What it saw. An error if it cannot be asked, which spoils nothing.
    pub fn hidden(&self) -> Result<Vec<Change>> {
        self.0.as_ref().map_or(Ok(Vec::new()), Trace::changes)
    }
}

/// Those that it makes later are watched with them; so are processes that it starts during a round, which at worst repeats one that failed.
fn threads_of_first_process() -> Result<Vec<String>> {
    let threads: Vec<String> = fs::read_dir("/proc/1/task")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    ensure!(!threads.is_empty(), "process 1 has no threads");
    Ok(threads)
}

/// What came of a round.
pub struct Round {
    /// The test's own result.
    pub ended: Result<()>,
    /// What the witness saw.
    pub hidden: Vec<Change>,
}

/// Runs rounds until one was good, or was bad without being spoiled.
pub fn in_clear_view(mut round: impl FnMut() -> Result<Round>) -> Result<()> {
    for number in 1..=ROUNDS {
        let Round { ended, hidden } = round()?;
        match ended {
            Ok(()) => return Ok(()),
            Err(error) if hidden.is_empty() => return Err(error),
            Err(error) => eprintln!(
                "round {number} is repeated: this kernel ran no program for {hidden:?}; it ended with {error:#}"
            ),
        }
    }
    bail!("this kernel hid changes of state from every program in each of {ROUNDS} rounds")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    /// Runs rounds of which the first so many are spoiled, and only one is good. Answers how many there were, too.
    fn rounds(spoiled: usize, good: usize) -> (Result<()>, usize) {
        let hidden = Change {
            local_port: 1,
            remote_port: 2,
            from: "TCP_LAST_ACK".to_owned(),
            to: "TCP_CLOSE".to_owned(),
        };
        let mut done = 0;
        let result = in_clear_view(|| {
            done += 1;
            Ok(Round {
                ended: if done == good {
                    Ok(())
                } else {
                    Err(anyhow!("a miscount"))
                },
                hidden: vec![hidden.clone(); usize::from(done <= spoiled)],
            })
        });
        (result, done)
    }

    #[test]
    fn a_miscount_in_a_clear_round_is_not_repeated() {
        for (spoiled, good) in [(0, 2), (2, 4)] {
            let (result, done) = rounds(spoiled, good);
            assert!(result.unwrap_err().to_string().contains("a miscount"));
            assert_eq!(done, spoiled + 1);
        }
    }

    #[test]
    fn a_spoiled_round_is_repeated_but_not_if_it_was_good() {
        for good in [1, 2, 3] {
            let (result, done) = rounds(2, good);
            assert!(result.is_ok());
            assert_eq!(done, good);
        }
        let (result, done) = rounds(ROUNDS, 0);
        assert!(result.is_err());
        assert_eq!(done, ROUNDS);
    }

    #[test]
    fn a_witness_that_cannot_be_asked_repeats_nothing() {
        let mut done = 0;
        let result = in_clear_view(|| {
            done += 1;
            bail!("no trace")
        });
        assert!(result.is_err());
        assert_eq!(done, 1);
    }
}
