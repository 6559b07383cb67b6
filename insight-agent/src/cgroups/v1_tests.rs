//! On files as the kernel writes them.

use std::path::{Path, PathBuf};

use super::*;

const MEMORY_STAT: &str = "\
cache 9216000
rss 10530816
mapped_file 7667712
inactive_file 0
active_file 147456
hierarchical_memory_limit 536870912
total_cache 74092544
total_rss 19046400
total_inactive_file 31129600
total_active_file 33894400
";

fn write(mount: &Path, path: &str, files: &[(&str, &str)]) -> Option<PathBuf> {
    let directory = mount.join(path);
    std::fs::create_dir_all(&directory).unwrap();
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    Some(mount.to_owned())
}

fn hierarchies(mount: &Path) -> V1 {
    V1 {
        cpu: write(
            &mount.join("cpu"),
            "a/b",
            &[
                (
                    "cpu.stat",
                    "nr_periods 20\nnr_throttled 7\nthrottled_time 350123456\nnr_bursts 0\nburst_time 0\n",
                ),
                ("cpu.cfs_quota_us", "25000\n"),
                ("cpu.cfs_period_us", "100000\n"),
            ],
        ),
        cpuacct: write(
            &mount.join("cpuacct"),
            "a/b",
            &[
                ("cpuacct.usage", "387034552899\n"),
                ("cpuacct.stat", "user 32678\nsystem 6024\n"),
            ],
        ),
        memory: write(
            &mount.join("memory"),
            "a/b",
            &[
                ("memory.usage_in_bytes", "92987392\n"),
                ("memory.stat", MEMORY_STAT),
                ("memory.limit_in_bytes", "536870912\n"),
                (
                    "memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
                ),
            ],
        ),
    }
}

#[test]
fn all_hierarchies() {
    let mount = tempfile::tempdir().unwrap();
    let mut sample = MetricSample::default();
    fill(
        &mut Files::default(),
        &hierarchies(mount.path()),
        "/a/b",
        &mut sample,
    );
    let expected = MetricSample {
        cgroup_id: 0,
        cpu_usage_ns: Some(387_034_552_899),
        cpu_user_ns: Some(326_780_000_000),
        cpu_system_ns: Some(60_240_000_000),
        cfs_periods: Some(20),
        cfs_throttled_periods: Some(7),
        cfs_throttled_ns: Some(350_123_456),
        cpu_limit_millicores: Some(250),
        memory_usage_bytes: Some(92_987_392),
        memory_working_set_bytes: Some(61_857_792),
        memory_rss_bytes: Some(19_046_400),
        memory_cache_bytes: Some(74_092_544),
        memory_limit_bytes: Some(536_870_912),
        oom_kills: Some(3),
        ..MetricSample::default()
    };
    assert_eq!(sample, expected);
}

#[test]
fn what_v2_knows_stays() {
    let mount = tempfile::tempdir().unwrap();
    let v2 = MetricSample {
        cpu_usage_ns: Some(5),
        cfs_periods: Some(1),
        memory_usage_bytes: Some(9),
        ..MetricSample::default()
    };
    let mut sample = v2;
    fill(
        &mut Files::default(),
        &hierarchies(mount.path()),
        "/a/b",
        &mut sample,
    );
    assert_eq!(sample, v2);
}

#[test]
fn no_twin_on_v1_leaves_the_rest_absent() {
    let mount = tempfile::tempdir().unwrap();
    let v1 = hierarchies(mount.path());
    let mut sample = MetricSample::default();
    fill(&mut Files::default(), &v1, "/a/c", &mut sample);
    assert_eq!(sample, MetricSample::default());
    // A v2 cgroup that never had a process, and no v1 twin: zero is still what v2 says.
    sample.cpu_usage_ns = Some(0);
    fill(&mut Files::default(), &v1, "/a/c", &mut sample);
    assert_eq!(sample.cpu_usage_ns, Some(0));
    fill(&mut Files::default(), &v1, "/a/b", &mut sample);
    assert_eq!(sample.cpu_usage_ns, Some(387_034_552_899));
}

#[test]
fn unlimited_is_absent() {
    let mount = tempfile::tempdir().unwrap();
    let mut v1 = hierarchies(mount.path());
    v1.cpu = write(
        &mount.path().join("cpu"),
        "a/b",
        &[
            ("cpu.cfs_quota_us", "-1\n"),
            (
                "cpu.stat",
                "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
            ),
        ],
    );
    v1.memory = write(
        &mount.path().join("memory"),
        "a/b",
        &[("memory.limit_in_bytes", "9223372036854771712\n")],
    );
    let mut sample = MetricSample::default();
    fill(&mut Files::default(), &v1, "/a/b", &mut sample);
    assert_eq!(
        (sample.cpu_limit_millicores, sample.cfs_periods),
        (None, None)
    );
    assert_eq!(sample.memory_limit_bytes, None);
    assert_eq!(sample.memory_usage_bytes, Some(92_987_392));
}
