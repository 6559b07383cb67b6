//! What must hold on every kernel, tried by `cargo xtask vm` in virtual machines whose only cgroups are v2.
//!
//! xtask knows how it went from the lines printed here, and from nothing else.

mod cases;
mod kernel;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use crate::cgroup::Mounts;
use cases::Scene;
use kernel::Kernel;

/// How the lines that xtask reads begin: a console has others too.
const MARK: &str = "insight-vm:";

/// Runs all cases and prints a line for each, then the totals. An error means that there is nothing to say about this kernel.
pub fn run() -> Result<()> {
    only_v2_with_controllers()?;
    let kernel = Kernel::ask()?;
    println!("{MARK} kernel {}", kernel.name);
    println!("{MARK} doctor {}", kernel.diagnosis);
    let mut tally = Tally::default();
    tally.case("the doctor agrees with the table", || kernel.agrees());
    match scene() {
        Ok(mut scene) => {
            for (name, case) in cases::IN_ONE_SCENE {
                tally.case(name, || case(&kernel, &mut scene));
            }
        }
        Err(error) => tally.case("the product starts", || Err(error)),
    }
    for (name, case) in cases::ALONE {
        tally.case(name, case);
    }
    println!(
        "{MARK} end {} passed, {} failed",
        tally.passed, tally.failed
    );
    Ok(())
}

fn scene() -> Result<Scene> {
    caught(Scene::new)
}

fn only_v2_with_controllers() -> Result<()> {
    let mounts = Mounts::read()?;
    ensure!(
        mounts.v1.is_empty(),
        "cgroup v1 hierarchies are mounted: {:?}",
        mounts.v1
    );
    let file = mounts.unified.join("cgroup.controllers");
    let controllers = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    for wanted in ["cpu", "memory"] {
        ensure!(
            controllers.split_whitespace().any(|known| known == wanted),
            "cgroup v2 has no controller {wanted}: {controllers}"
        );
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    fn case(&mut self, name: &str, run: impl FnOnce() -> Result<()>) {
        let start = Instant::now();
        match caught(run) {
            Ok(()) => {
                self.passed += 1;
                println!("{MARK} ok {name} ({:.1} s)", start.elapsed().as_secs_f64());
            }
            Err(error) => {
                self.failed += 1;
                // One line: a console knows no other unit.
                let why = format!("{error:#}").replace('\n', " / ");
                println!("{MARK} FAIL {name}: {why}");
            }
        }
    }
}

/// A panic is an error like any other.
fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("panicked: {}", text.unwrap_or("without a message")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_panics_has_failed() {
        let mut tally = Tally::default();
        tally.case("fine", || Ok(()));
        tally.case("wrong", || Err(anyhow!("why")));
        tally.case("broken", || panic!("because"));
        assert_eq!((tally.passed, tally.failed), (1, 2));
    }
}
