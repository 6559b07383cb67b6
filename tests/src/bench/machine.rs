//! Where the figures come from.

use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result};

/// This machine, now.
pub(super) struct Machine {
    kernel: String,
    cpu: String,
    cores: usize,
    memory_gib: f64,
    load: String,
    date: String,
}

impl Machine {
    pub(super) fn read() -> Result<Self> {
        let uname = rustix::system::uname();
        let cpus = fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
        let load = fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
        Ok(Self {
            kernel: format!(
                "Linux {} {}",
                uname.release().to_string_lossy(),
                uname.machine().to_string_lossy()
            ),
            cpu: cpu_model(&cpus).unwrap_or("unknown CPU").to_owned(),
            cores: available_parallelism()?.get(),
            memory_gib: total_kib(&memory).context("no MemTotal in /proc/meminfo")? as f64
                / f64::from(1 << 20),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            date: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kernel,
            cpu,
            cores,
            memory_gib,
            load,
            date,
        } = self;
        write!(
            out,
            "{date}: {kernel}, {cpu}, {cores} cores, {memory_gib:.0} GiB; load average before: {load}"
        )
    }
}

/// The model of the first CPU; Arm's kernels do not say one.
fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn total_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        let cpus = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: Some CPU @ 3 GHz\nprocessor\t: 1";
        assert_eq!(cpu_model(cpus), Some("Some CPU @ 3 GHz"));
        assert_eq!(cpu_model("processor : 0"), None);
        assert_eq!(
            total_kib("MemTotal:  24684000 kB\nMemFree: 1 kB"),
            Some(24_684_000)
        );
        assert_eq!(total_kib(""), None);
    }
}
