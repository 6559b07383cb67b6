//! Which connections an agent counts that starts amid them: it counts the openings and the closes after one moment, the moment
//! at which its program was attached, and that is the same at both ends. The kernel's trace is the order of all of them, so
//! what the agent has not counted must be what came before one place in the trace, for all its counts at once.
//!
//! (A CPU that is stopped within the few nanoseconds between looking up who listens to the tracepoint and writing into the
//! trace could leave one change on the wrong side. It would have to be the one at the moment of attaching.)

use anyhow::{Context, Result, ensure};

use crate::ftrace::Change;

/// How many connections were opened and closed at one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Established.
    pub opened: u64,
    /// Of these, ended.
    pub closed: u64,
}

/// Turnovers of the client's and of the server's end.
pub type Turnovers = [Turnover; 2];

/// What had happened at each moment: before the first change, and after each.
fn moments(changes: &[Change], port: u16) -> Vec<Turnovers> {
    let mut now = Turnovers::default();
    let mut moments = vec![now];
    for change in changes {
        let end = if change.local_port == port {
            &mut now[1]
        } else if change.remote_port == port {
            &mut now[0]
        } else {
            continue;
        };
        end.opened += u64::from(change.opens());
        end.closed += u64::from(change.closes());
        moments.push(now);
    }
    moments
}

/// Checks that there was a moment at which just this had happened on the flows of a port, `changes` being all changes from
/// before their first connection on.
pub fn expect(changes: &[Change], port: u16, happened: &Turnovers) -> Result<()> {
    let moments = moments(changes, port);
    let distance = |moment: &Turnovers| -> u64 {
        let ends = moment.iter().zip(happened);
        ends.map(|(one, other)| {
            one.opened.abs_diff(other.opened) + one.closed.abs_diff(other.closed)
        })
        .sum()
    };
    let nearest = moments
        .iter()
        .min_by_key(|moment| distance(moment))
        .context("there is always a first moment")?;
    ensure!(
        nearest == happened,
        "at no moment of {} had just this happened: {happened:?}; nearest: {nearest:?}",
        moments.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(local_port: u16, remote_port: u16, from: &str, to: &str) -> Change {
        Change {
            local_port,
            remote_port,
            from: format!("TCP_{from}"),
            to: format!("TCP_{to}"),
        }
    }

    /// One connection to port 80, and one that is refused.
    fn one() -> Vec<Change> {
        vec![
            change(9, 80, "SYN_SENT", "ESTABLISHED"),
            change(80, 9, "SYN_RECV", "ESTABLISHED"),
            change(8, 80, "SYN_SENT", "CLOSE"),
            change(80, 9, "LAST_ACK", "CLOSE"),
            change(9, 80, "FIN_WAIT2", "CLOSE"),
        ]
    }

    fn happened(client: (u64, u64), server: (u64, u64)) -> Turnovers {
        [client, server].map(|(opened, closed)| Turnover { opened, closed })
    }

    #[test]
    fn each_moment_is_one() {
        for (client, server) in [
            ((0, 0), (0, 0)),
            ((1, 0), (0, 0)),
            ((1, 0), (1, 0)),
            ((1, 0), (1, 1)),
            ((1, 1), (1, 1)),
        ] {
            expect(&one(), 80, &happened(client, server)).unwrap();
        }
    }

    #[test]
    fn what_no_moment_had_is_wrong() {
        for (client, server) in [((0, 0), (1, 0)), ((1, 1), (1, 0)), ((2, 1), (1, 1))] {
            expect(&one(), 80, &happened(client, server)).unwrap_err();
        }
        expect(&one(), 81, &happened((1, 1), (1, 1))).unwrap_err();
    }
}
