//! A program that is expected to end by itself.

use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::process::{Place, end_child, put, wait_child};
use crate::wait::PATIENCE;

/// How it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; absent after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Standard output of a run that went well.
    pub fn stdout(self) -> Result<String> {
        ensure!(self.code == Some(0), "ended badly: {self:?}");
        Ok(self.stdout)
    }

    /// Checks that it ended with an error whose text has all of these parts (upper and lower case alike), and that it did
    /// not panic.
    pub fn expect_error(&self, parts: &[&str]) -> Result<()> {
        ensure!(
            self.code.is_some_and(|code| code != 0),
            "expected an exit code that is not 0: {self:?}"
        );
        let text = self.stderr.to_lowercase();
        ensure!(!text.contains("panicked"), "it panicked: {self:?}");
        for part in parts {
            ensure!(
                text.contains(&part.to_lowercase()),
                "the error does not mention {part:?}: {self:?}"
            );
        }
        Ok(())
    }
}

/// Runs a command to its end. One that does not end is killed, and an error that shows what it printed.
pub fn run_once(mut command: Command) -> Result<Outcome> {
    put(&mut command, Place::default());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let name = format!("{command:?}");
    let ended = wait_child(&mut child, &name, PATIENCE);
    end_child(&mut child);
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    match ended {
        Ok(status) => Ok(Outcome {
            code: status.code(),
            stdout,
            stderr,
        }),
        Err(error) => Err(anyhow!("{error:#}; it printed\n{stdout}\n{stderr}")),
    }
}

fn collect(mut pipe: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
