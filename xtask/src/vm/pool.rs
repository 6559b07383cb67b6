//! Several machines, two at a time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use super::console::Report;
use super::fetch::Fetched;
use super::initrd;
use super::machine::Machine;
use crate::cargo;

/// Each takes a processor and up to 2 GiB of memory.
const AT_ONCE: usize = 2;

/// What the machines have in common.
pub(crate) struct Pool {
    folder: PathBuf,
    base: Vec<u8>,
    keep: bool,
}

impl Pool {
    /// Machines whose files are in this folder.
    pub(crate) fn new(folder: &Path, base: Vec<u8>, keep: bool) -> Result<Self> {
        let folder = folder.join("run");
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self { folder, base, keep })
    }

    /// Boots all, and gives their reports in the same order.
    pub(crate) fn run(&self, kernels: &[&Fetched]) -> Vec<Result<Report>> {
        let next = AtomicUsize::new(0);
        let reports: Vec<Mutex<Result<Report>>> = kernels
            .iter()
            .map(|_| Mutex::new(Err(anyhow!("it was not booted"))))
            .collect();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(kernels.len()) {
                scope.spawn(|| {
                    while let Some(kernel) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let report = self.boot(kernel);
                        let place = kernels.iter().position(|other| std::ptr::eq(other, kernel));
                        if let Some(slot) = place.and_then(|place| reports.get(place))
                            && let Ok(mut slot) = slot.lock()
                        {
                            *slot = report;
                        }
                    }
                });
            }
        });
        let taken = |slot: Mutex<Result<Report>>| {
            slot.into_inner()
                .unwrap_or_else(|_| Err(anyhow!("a thread of xtask panicked")))
        };
        reports.into_iter().map(taken).collect()
    }

    /// Boots one, and once more after a kernel panic: an emulated machine has had one for no reason of ours.
    fn boot(&self, kernel: &Fetched) -> Result<Report> {
        let machine = self.machine(kernel)?;
        println!("vm: booting {}", kernel.version);
        let start = Instant::now();
        let mut report = Report::read(&machine.run()?);
        if report.panicked() {
            println!(
                "vm: {} panicked, see {}; booting it once more",
                kernel.version,
                machine.console.display()
            );
            report = Report::read(&machine.run()?);
        }
        if self.keep {
            println!("vm: by hand: {}", cargo::show(&machine.command()));
        } else {
            let _ = std::fs::remove_file(&machine.initrd);
        }
        show(kernel, &report, start.elapsed().as_secs_f64());
        match report.broken() {
            None => Ok(report),
            Some(why) => Err(anyhow!(
                "{why}; its console is in {} and ends\n{}",
                machine.console.display(),
                tail(&machine.console)
            )),
        }
    }

    fn machine(&self, kernel: &Fetched) -> Result<Machine> {
        let file = |ending: &str| self.folder.join(format!("{}.{ending}", kernel.kernel.name));
        let machine = Machine {
            image: kernel.image(),
            initrd: file("cpio"),
            console: file("log"),
        };
        // A kernel unpacks one archive after the other.
        let whole = [&self.base, initrd::modules(kernel)?.as_slice()].concat();
        std::fs::write(&machine.initrd, whole)
            .with_context(|| format!("write {}", machine.initrd.display()))?;
        Ok(machine)
    }
}

/// All at once, so that two machines' lines do not mix.
fn show(kernel: &Fetched, report: &Report, seconds: f64) {
    let mut lines = vec![format!(
        "vm: {}: {} passed, {} failed, {seconds:.0} s",
        kernel.version,
        report.passed.len(),
        report.failed.len()
    )];
    let passed = report.passed.iter().map(|name| format!("  ok   {name}"));
    let failed = report.failed.iter();
    let failed = failed.map(|(name, why)| format!("  FAIL {name}: {why}"));
    lines.extend(passed.chain(failed));
    println!("{}", lines.join("\n"));
}

/// The end of a console, for an error.
fn tail(console: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
