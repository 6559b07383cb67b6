//! Runs a command with its output shown as it comes, and handed on line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo::show;

/// How long we listen on after the command has ended, while something it started still holds the output open.
const GRACE: Duration = Duration::from_secs(2);

/// Runs to the end. stdout and stderr go through one pipe, so that their order is kept.
pub(crate) fn stream(mut command: Command, mut take: impl FnMut(&str)) -> Result<ExitStatus> {
    let shown = show(&command);
    let (reader, writer) = std::io::pipe().context("make a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("copy a pipe's end")?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("run '{shown}'"))?;
    // It holds the writing ends: the pipe would never end.
    drop(command);

    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if sender.send(line).is_err() {
                break;
            }
            bytes.clear();
        }
    });
    let mut status = None;
    loop {
        match lines.recv_timeout(GRACE) {
            Ok(line) => {
                // A closed stdout must not stop the tests.
                let _ = writeln!(std::io::stdout(), "{line}");
                take(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if status.is_some() => {
                take("something that the tests started is still running and holds their output");
                println!("'{shown}' has ended, but something it started still holds its output");
                break;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if status.is_none() {
            status = child.try_wait().context("wait for a child")?;
        }
    }
    match status {
        Some(status) => Ok(status),
        None => child.wait().with_context(|| format!("wait for '{shown}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Vec<String>, ExitStatus) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut lines = Vec::new();
        let status = stream(command, |line| lines.push(line.to_owned())).unwrap();
        (lines, status)
    }

    #[test]
    fn both_outputs_come_in_their_order_with_the_status() {
        let (lines, status) = shell("echo one; echo two >&2; printf three; exit 3");
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn what_is_left_running_does_not_hold_us_up() {
        let start = std::time::Instant::now();
        let (lines, status) = shell("sleep 30 & echo done");
        assert_eq!(lines[0], "done");
        assert!(status.success());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
