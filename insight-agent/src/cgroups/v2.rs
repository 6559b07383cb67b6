//! CPU and memory from cgroup v2 files.
//!
//! `cpu.stat` has the CPU time in every cgroup, controllers or not; throttling, limits and memory need the controller.

use std::path::Path;

use insight_proto::v1::MetricSample;

use super::flat::{Files, memory_limit, millicores, number, pick};

/// Fills `sample` with what `directory` has.
pub(super) fn read(files: &mut Files, directory: &Path, sample: &mut MetricSample) {
    if let Some(text) = files.read(directory, "cpu.max") {
        sample.cpu_limit_millicores = cpu_max(text);
    }
    if let Some(text) = files.read(directory, "cpu.stat") {
        cpu_stat(text, sample);
    }
    // The root has none; nor has any cgroup while the controller is on v1.
    let Some(usage) = files.read(directory, "memory.current").and_then(number) else {
        return;
    };
    sample.memory_usage_bytes = Some(usage);
    if let Some(text) = files.read(directory, "memory.stat") {
        memory_stat(text, usage, sample);
    }
    sample.memory_limit_bytes = files
        .read(directory, "memory.max")
        .and_then(number)
        .and_then(memory_limit);
    if let Some(text) = files.read(directory, "memory.events") {
        [sample.oom_kills] = pick(text, ["oom_kill"]);
    }
}

/// "max 100000" or "50000 100000": quota and period in microseconds.
pub(super) fn cpu_max(text: &str) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ')?;
    millicores(quota.parse().ok()?, period.parse().ok()?)
}

fn cpu_stat(text: &str, sample: &mut MetricSample) {
    let keys = [
        "usage_usec",
        "user_usec",
        "system_usec",
        "nr_periods",
        "nr_throttled",
        "throttled_usec",
    ];
    let [usage, user, system, periods, throttled, throttled_time] = pick(text, keys);
    sample.cpu_usage_ns = usage.and_then(nanoseconds);
    sample.cpu_user_ns = user.and_then(nanoseconds);
    sample.cpu_system_ns = system.and_then(nanoseconds);
    // As in cAdvisor: only where there is, or was, a quota.
    if sample.cpu_limit_millicores.is_some() || periods.is_some_and(|n| n > 0) {
        sample.cfs_periods = periods;
        sample.cfs_throttled_periods = throttled;
        sample.cfs_throttled_ns = throttled_time.and_then(nanoseconds);
    }
}

fn nanoseconds(microseconds: u64) -> Option<u64> {
    microseconds.checked_mul(1000)
}

fn memory_stat(text: &str, usage: u64, sample: &mut MetricSample) {
    let [anon, file, inactive] = pick(text, ["anon", "file", "inactive_file"]);
    sample.memory_rss_bytes = anon;
    sample.memory_cache_bytes = file;
    sample.memory_working_set_bytes = inactive.map(|inactive| usage.saturating_sub(inactive));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU_STAT: &str = "\
usage_usec 380750211
user_usec 321486551
system_usec 59263659
nice_usec 0
core_sched.force_idle_usec 0
nr_periods 1203
nr_throttled 417
throttled_usec 24181234
nr_bursts 0
burst_usec 0
";
    const MEMORY_STAT: &str = "\
anon 10530816
file 74092544
kernel 2449408
kernel_stack 98304
inactive_anon 8355840
active_anon 1593344
inactive_file 31129600
active_file 33894400
pgfault 43251
";

    fn cgroup(files: &[(&str, &str)]) -> MetricSample {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let mut sample = MetricSample::default();
        read(&mut Files::default(), directory.path(), &mut sample);
        sample
    }

    #[test]
    fn all_controllers() {
        let sample = cgroup(&[
            ("cpu.stat", CPU_STAT),
            ("cpu.max", "150000 100000\n"),
            ("memory.current", "92987392\n"),
            ("memory.stat", MEMORY_STAT),
            ("memory.max", "536870912\n"),
            (
                "memory.events",
                "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n",
            ),
        ]);
        let expected = MetricSample {
            cgroup_id: 0,
            cpu_usage_ns: Some(380_750_211_000),
            cpu_user_ns: Some(321_486_551_000),
            cpu_system_ns: Some(59_263_659_000),
            cfs_periods: Some(1203),
            cfs_throttled_periods: Some(417),
            cfs_throttled_ns: Some(24_181_234_000),
            cpu_limit_millicores: Some(1500),
            memory_usage_bytes: Some(92_987_392),
            memory_working_set_bytes: Some(92_987_392 - 31_129_600),
            memory_rss_bytes: Some(10_530_816),
            memory_cache_bytes: Some(74_092_544),
            memory_limit_bytes: Some(536_870_912),
            oom_kills: Some(1),
            ..MetricSample::default()
        };
        assert_eq!(sample, expected);
    }

    #[test]
    fn without_controllers_only_cpu_time_is_known() {
        let sample = cgroup(&[(
            "cpu.stat",
            "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnice_usec 0\n",
        )]);
        let expected = MetricSample {
            cpu_usage_ns: Some(5000),
            cpu_user_ns: Some(3000),
            cpu_system_ns: Some(2000),
            ..MetricSample::default()
        };
        assert_eq!(sample, expected);
    }

    #[test]
    fn unlimited_is_absent_and_so_is_throttling_without_a_quota() {
        let sample = cgroup(&[
            (
                "cpu.stat",
                "usage_usec 5\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            ),
            ("cpu.max", "max 100000\n"),
            ("memory.current", "100\n"),
            ("memory.stat", "anon 60\nfile 40\ninactive_file 140\n"),
            ("memory.max", "max\n"),
        ]);
        assert_eq!(sample.cpu_limit_millicores, None);
        assert_eq!((sample.cfs_periods, sample.cfs_throttled_ns), (None, None));
        assert_eq!((sample.memory_limit_bytes, sample.oom_kills), (None, None));
        // Never below 0: the two files are not read at the same moment.
        assert_eq!(sample.memory_working_set_bytes, Some(0));
        assert_eq!(sample.cpu_user_ns, None);
    }

    #[test]
    fn a_quota_that_was_taken_away_leaves_its_counters() {
        let sample = cgroup(&[("cpu.stat", CPU_STAT), ("cpu.max", "max 100000\n")]);
        assert_eq!(
            (sample.cpu_limit_millicores, sample.cfs_periods),
            (None, Some(1203))
        );
    }
}
