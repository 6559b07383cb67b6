//! Tests that kill -9 a process: the test runs itself again as a child, which works until it is killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The variable that makes a test the child, and gives it its folder.
const CHILD: &str = "INSIGHT_TEST_CHILD_DIR";

/// The child's folder, when this process is the child.
pub(crate) fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// In the child: says that step `number` is durable.
pub(crate) fn acknowledge(number: u64) {
    println!("\nacknowledged {number}");
}

/// Runs `test` (its whole path) as a child in `dir`, kills it somewhere in the time after its first acknowledgement, and
/// answers the highest number that it acknowledged.
pub(crate) fn run_and_kill(test: &str, dir: &Path) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut highest = None;
    let mut deadline = None;
    let mut killed = false;
    for line in lines {
        let line = line.unwrap();
        let Some(number) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        highest = Some(number.parse().unwrap());
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + random_time());
        if !killed && Instant::now() >= deadline {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed, "the child ended by itself: {status}");
    highest.unwrap()
}

/// Up to 200 ms.
fn random_time() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Duration::from_micros(u64::from(now.unwrap().subsec_nanos()) % 200_000)
}
