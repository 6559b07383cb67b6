//! The kernel tests in virtual machines with other kernels.

use anyhow::Error;

use super::object::Object;
use super::outcome::{Failure, Outcome};
use crate::project::Project;
use crate::setup::{self, needs};
use crate::vm::{self, KERNELS, Ran, Trouble};

/// Boots all kernels. Each case on each kernel counts as one test, and README's table as one.
pub(crate) fn run(project: &Project, object: &Object) -> Outcome {
    let object = match object {
        Object::Built(path) => path,
        Object::Unavailable(reason) => return Outcome::skip("vm tier", reason),
        Object::Broken(_) => return Outcome::skip("vm tier", "the BPF object could not be built"),
    };
    if let Some(missing) = setup::ensure(project, needs::VM).first() {
        return Outcome::skip("vm tier", format!("{}: {}", missing.name, missing.reason));
    }
    let kernels: Vec<_> = KERNELS.iter().collect();
    let ran = match vm::boot(project, object, &kernels, false) {
        Ok(ran) => ran,
        Err(error) => return Outcome::failure("the vm tier", lines(&error)),
    };
    let mut outcome = Outcome::default();
    for one in &ran {
        outcome.add(on(one));
    }
    // The table is of all kernels; what hinders it was said above.
    if outcome.failed.is_empty() && outcome.skipped.is_empty() {
        outcome.add(match vm::readme(project, &ran, false) {
            Ok(()) => Outcome {
                passed: 1,
                ..Outcome::default()
            },
            Err(error) => Outcome::failure("README's table of kernels", lines(&error)),
        });
    }
    outcome
}

fn on(Ran { kernel, result }: &Ran) -> Outcome {
    let name = format!("Linux {}", kernel.name);
    match result {
        Ok(report) => {
            let failed = report.failed.iter().map(|(case, why)| Failure {
                name: format!("{name}: {case}"),
                output: vec![why.clone()],
            });
            Outcome {
                passed: report.passed.len(),
                failed: failed.collect(),
                ..Outcome::default()
            }
        }
        Err(Trouble::Missing(error)) => Outcome::skip(&name, format!("{error:#}")),
        Err(Trouble::Broken(error)) => Outcome::failure(name, lines(error)),
    }
}

fn lines(error: &Error) -> Vec<String> {
    format!("{error:#}").lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn ran(result: Result<vm::Report, Trouble>) -> Outcome {
        on(&Ran {
            kernel: &KERNELS[0],
            result,
        })
    }

    #[test]
    fn what_cannot_be_had_is_skipped_and_what_breaks_fails() {
        let missing = ran(Err(Trouble::Missing(anyhow!("no mirror"))));
        assert_eq!((missing.passed, missing.failed.len()), (0, 0));
        assert_eq!(missing.skipped[0].name, "Linux 5.10.223");
        let broken = ran(Err(Trouble::Broken(anyhow!("a panic\nat the end"))));
        assert_eq!(broken.failed[0].output, ["a panic", "at the end"]);
    }

    #[test]
    fn each_case_counts() {
        let console = "insight-vm: ok one (1.0 s)\ninsight-vm: FAIL two: why\n";
        let outcome = ran(Ok(vm::Report::read(console)));
        assert_eq!(outcome.passed, 1);
        assert_eq!(outcome.failed[0].name, "Linux 5.10.223: two");
    }
}
