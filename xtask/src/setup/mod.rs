//! Installs what a verb needs and the machine lacks, saying each step and why.

mod detect;
mod install;
pub(crate) mod needs;

use anyhow::{Result, bail};

use crate::project::Project;
use needs::Need;

/// A need that could not be met.
pub(crate) struct Missing {
    /// Its name
    pub(crate) name: &'static str,
    /// What to run by hand, and what went wrong here
    pub(crate) reason: String,
}

/// `cargo xtask setup`: everything that any verb needs.
pub(crate) fn run() -> Result<()> {
    let project = Project::find()?;
    require(&project, needs::ALL)
}

/// Like [`ensure`], but something missing is an error.
pub(crate) fn require(project: &Project, needs: &[&'static Need]) -> Result<()> {
    let missing = ensure(project, needs);
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing
        .iter()
        .map(|missing| format!("  {}: {}", missing.name, missing.reason))
        .collect();
    bail!("not everything could be set up:\n{}", list.join("\n"))
}

/// Those that the machine lacks. Changes nothing.
pub(crate) fn absent(project: &Project, needs: &[&'static Need]) -> Vec<&'static Need> {
    needs
        .iter()
        .copied()
        .filter(|need| !detect::present(&project.root, &need.sign))
        .collect()
}

/// Meets the needs in their order, and gives back those that remain.
pub(crate) fn ensure(project: &Project, needs: &[&'static Need]) -> Vec<Missing> {
    let absent = absent(project, needs);
    if absent.is_empty() {
        let names: Vec<&str> = needs.iter().map(|need| need.name).collect();
        println!("setup: nothing to do, {} present", names.join(", "));
        return Vec::new();
    }
    let mut installer = install::Installer::new(&project.root);
    let mut missing = Vec::new();
    for (step, need) in absent.iter().enumerate() {
        println!(
            "setup {}/{}: {}, {} ({})",
            step + 1,
            absent.len(),
            need.name,
            need.why,
            need.source.command()
        );
        let outcome = installer.install(&need.source);
        // The sign decides, not the installer's word: a package may not hold what we look for.
        if !detect::present(&project.root, &need.sign) {
            let failure = match outcome {
                Ok(()) => "was installed, but is still not found".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            let reason = format!("{failure}; by hand: {}", need.source.command());
            println!("setup: {} is still missing: {reason}", need.name);
            missing.push(Missing {
                name: need.name,
                reason,
            });
        }
    }
    missing
}
