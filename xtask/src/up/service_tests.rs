use std::time::Instant;

use super::*;
use crate::clean_host::processes::Process;

fn start(folder: &Path, script: &str) -> Service {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Service::start("sample", command, folder.join("sample.log"), None).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("insight-xtask-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_program_stops_when_asked_with_what_it_started() {
    let folder = folder("stops");
    let mut service = start(
        &folder,
        "echo begun; trap 'kill $!; exit 0' TERM; sleep 1000 & wait",
    );
    assert!(wait_until(STOP, || service.last_lines().unwrap()
        == "begun"
        && processes::family(service.child.id()).len() == 2));
    let begin = Instant::now();
    service.stop().unwrap();
    assert!(begin.elapsed() < STOP);
    assert!(service.ended().unwrap().is_some());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_program_leaves_running_is_killed_and_told() {
    let folder = folder("leaves");
    let mut service = start(
        &folder,
        "sleep 1000 & echo $!; trap 'exit 0' TERM; while :; do wait; done",
    );
    // A child that has not come to its exec yet still has its parent's name.
    let sleeps = |process: &Process| process.name == "sleep";
    assert!(wait_until(STOP, || processes::family(service.child.id())
        .iter()
        .any(sleeps)));
    let error = service.stop().unwrap_err().to_string();
    assert!(
        error.contains("was killed") && error.contains("sleep"),
        "{error}"
    );
    let id: u32 = service.last_lines().unwrap().parse().unwrap();
    assert!(processes::family(id).is_empty());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_early_end_is_seen_and_the_log_tells_why() {
    let folder = folder("early");
    let mut service = start(&folder, "seq 100; echo no BTF here >&2; exit 3");
    assert!(wait_until(STOP, || service.ended().unwrap().is_some()));
    assert_eq!(service.ended().unwrap().unwrap().code(), Some(3));
    let lines = service.last_lines().unwrap();
    assert!(
        lines.starts_with("82\n") && lines.ends_with("\nno BTF here"),
        "{lines}"
    );
    service.stop().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
