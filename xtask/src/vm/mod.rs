//! Boots Debian's kernels in QEMU and runs the kernel tests in each.

mod apt;
mod console;
mod cpio;
mod fetch;
mod initrd;
mod kernels;
mod machine;
mod modules;
mod pick;
mod pool;
mod programs;
mod sources;
mod table;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::project::Project;
use crate::setup::{self, needs};
use crate::{bpf, signals};
pub(crate) use console::Report;
use fetch::Fetched;
pub(crate) use kernels::KERNELS;
use kernels::Kernel;
use pool::Pool;

/// Arguments of `cargo xtask vm`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boot only these kernels: 5.10.223, 5.10, 6.1, 6.12, 6.18, 7 (can be repeated)
    #[arg(long, value_name = "NAME", value_parser = known)]
    kernel: Vec<&'static Kernel>,
    /// Leave the machines' file systems, and print how to boot them by hand
    #[arg(long)]
    keep: bool,
    /// Write README's table of kernels instead of checking it
    #[arg(long, conflicts_with = "kernel")]
    write: bool,
}

fn known(name: &str) -> Result<&'static Kernel> {
    kernels::named(name).with_context(|| {
        let names = KERNELS.map(|kernel| kernel.name);
        format!("there is {}", names.join(", "))
    })
}

/// How it went on one kernel: the report, or why there is none.
pub(crate) struct Ran {
    /// Which
    pub(crate) kernel: &'static Kernel,
    /// What the kernel's tests said
    pub(crate) result: Result<Report, Trouble>,
}

/// Why a kernel has no report.
pub(crate) enum Trouble {
    /// It is not to be had on this machine
    Missing(anyhow::Error),
    /// It was booted, and did not come to its end
    Broken(anyhow::Error),
}

/// `cargo xtask vm`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let project = Project::find()?;
    setup::require(&project, needs::BPF)?;
    setup::require(&project, needs::VM)?;
    signals::catch()?;
    let object = bpf::build(&project)?;
    let wanted: Vec<&'static Kernel> = if args.kernel.is_empty() {
        KERNELS.iter().collect()
    } else {
        args.kernel.clone()
    };
    let ran = boot(&project, &object, &wanted, args.keep)?;
    let mut bad = 0;
    for Ran { kernel, result } in &ran {
        match result {
            Ok(report) => bad += report.failed.len(),
            Err(Trouble::Missing(error)) => {
                bad += 1;
                println!("Linux {} is missing: {error:#}", kernel.name);
            }
            Err(Trouble::Broken(error)) => {
                bad += 1;
                println!("Linux {} is broken: {error:#}", kernel.name);
            }
        }
    }
    ensure!(bad == 0, "{bad} things went wrong");
    if args.kernel.is_empty() {
        readme(&project, &ran, args.write)?;
    }
    Ok(())
}

/// Fetches what is missing, builds the programs, and runs the tests in all kernels, two at a time.
pub(crate) fn boot(
    project: &Project,
    object: &Path,
    wanted: &[&'static Kernel],
    keep: bool,
) -> Result<Vec<Ran>> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the kernels and the programs are for x86_64"
    );
    let folder = project.target.join("vm");
    let fetched = fetch::all(&folder.join("kernels"), wanted);
    let programs = programs::build(project, object)?;
    let pool = Pool::new(&folder, initrd::base(&programs)?, keep)?;
    let there: Vec<&Fetched> = fetched.iter().flat_map(|(_, kernel)| kernel).collect();
    let mut reports = pool.run(&there).into_iter();
    let ran = fetched.into_iter().map(|(kernel, fetched)| Ran {
        kernel,
        result: match fetched {
            Err(error) => Err(Trouble::Missing(error)),
            Ok(_) => match reports.next() {
                Some(report) => report.map_err(Trouble::Broken),
                None => Err(Trouble::Broken(anyhow::anyhow!("it was not booted"))),
            },
        },
    });
    Ok(ran.collect())
}

/// Checks README's table against what all kernels said, or writes it.
pub(crate) fn readme(project: &Project, ran: &[Ran], write: bool) -> Result<()> {
    let mut doctors = Vec::new();
    for Ran { kernel, result } in ran {
        match result {
            Ok(Report {
                doctor: Some(doctor),
                ..
            }) => doctors.push((kernel.name, doctor)),
            _ => bail!("Linux {} did not say what works there", kernel.name),
        }
    }
    table::settle(
        &project.root.join("README.md"),
        &table::render(&doctors)?,
        write,
    )
}
