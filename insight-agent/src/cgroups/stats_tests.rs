//! On plain directories that look like cgroups.

use std::path::Path;

use super::*;

fn write(mount: &Path, path: &str, name: &str, text: &str) {
    let directory = mount.join(path);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), text).unwrap();
}

fn sample(mount: &Path, v1: V1) -> Vec<Sample> {
    let mut tree = Tree::new(mount.to_owned(), mount.to_owned());
    let mut stats = Stats::new(mount.to_owned(), v1);
    let samples = stats.sample(&mut tree).unwrap();
    assert_eq!(stats.skipped(), 0);
    samples
}

#[test]
fn containers_first_then_pods_units_and_plain_leaves_with_processes() {
    let mount = tempfile::tempdir().unwrap();
    let pod = "kubepods/pod11111111-2222-3333-4444-555555555555";
    let container = format!("{pod}/{}", "a".repeat(64));
    let inside = format!("{container}/init");
    let paths = [
        "busy",
        "idle",
        "system.slice/a.service",
        pod,
        &container,
        &inside,
    ];
    for path in paths {
        write(mount.path(), path, "cpu.stat", "usage_usec 1\n");
    }
    write(mount.path(), "busy", "cgroup.procs", "1\n");
    write(mount.path(), "idle", "cgroup.procs", "");
    let samples = sample(mount.path(), V1::default());
    let paths: Vec<_> = samples.iter().map(|s| s.owner.path.as_str()).collect();
    let expected = [
        format!("/{container}"),
        format!("/{pod}"),
        "/system.slice/a.service".into(),
        "/busy".into(),
    ];
    assert_eq!(paths, expected);
    assert!(samples.iter().all(|s| s.metrics.cpu_usage_ns == Some(1000)));
    assert!(
        samples
            .iter()
            .all(|s| s.metrics.cgroup_id == s.owner.cgroup_id)
    );
}

#[test]
fn v1_gives_what_v2_has_not() {
    let (mount, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(mount.path(), "a.service", "cpu.stat", "usage_usec 7\n");
    write(
        memory.path(),
        "a.service",
        "memory.usage_in_bytes",
        "4096\n",
    );
    // A v1 cgroup without a v2 twin has no id, and no flow can be its.
    write(
        memory.path(),
        "b.service",
        "memory.usage_in_bytes",
        "4096\n",
    );
    let v1 = V1 {
        memory: Some(memory.path().to_owned()),
        ..V1::default()
    };
    let samples = sample(mount.path(), v1);
    assert_eq!(samples.len(), 1);
    let metrics = &samples[0].metrics;
    assert_eq!(
        (metrics.cpu_usage_ns, metrics.memory_usage_bytes),
        (Some(7000), Some(4096))
    );
    assert_eq!(metrics.memory_limit_bytes, None);
}

#[test]
fn a_cgroup_without_any_file_has_no_sample() {
    let mount = tempfile::tempdir().unwrap();
    std::fs::create_dir(mount.path().join("a.service")).unwrap();
    assert_eq!(sample(mount.path(), V1::default()), []);
}

#[test]
fn too_many_are_cut_and_counted_the_same_ones_each_time() {
    let mount = tempfile::tempdir().unwrap();
    for n in 0..5 {
        write(
            mount.path(),
            &format!("u{n}.service"),
            "cpu.stat",
            "usage_usec 1\n",
        );
    }
    let mut tree = Tree::new(mount.path().to_owned(), mount.path().to_owned());
    let mut stats = Stats::new(mount.path().to_owned(), V1::default());
    assert_eq!(stats.limit, MAX_SAMPLES);
    stats.limit = 2;
    for skipped in [3, 6] {
        let samples = stats.sample(&mut tree).unwrap();
        let units: Vec<_> = samples.iter().map(|s| s.owner.unit.as_str()).collect();
        assert_eq!(units, ["u0.service", "u1.service"]);
        assert_eq!(stats.skipped(), skipped);
    }
}
