//! What this kernel supports, and why something does not load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::probes::LIFE;
use super::{Dialing, Form, Kernel, LoadOptions, Probe, Udp, btf, capabilities, fields, tasks};
use crate::cgroups::Mounts;

/// Room for flows in a trial load; its maps live for a moment.
const TRIAL_FLOWS: u32 = 64;

/// The answer of `insight-agent doctor`.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// `uname -r`.
    pub kernel: String,
    /// Effective capabilities that matter, and whether the agent has them.
    pub capabilities: BTreeMap<&'static str, bool>,
    /// The BTF file, and whether it can be read.
    pub btf: PathBuf,
    /// Whether that file can be read.
    pub has_btf: bool,
    /// Each program's verdict.
    pub probes: Vec<Probe>,
    /// In which form this kernel has what the programs read.
    pub forms: Vec<Form>,
    /// Why nothing could be loaded.
    pub error: Option<String>,
    /// Flows can be counted.
    pub counts_flows: bool,
}

/// Loads everything for a moment and looks what the kernel says.
pub fn diagnose(btf: PathBuf) -> Diagnosis {
    let options = LoadOptions {
        scope_cgroup: 0,
        scope_level: 0,
        cgroup_root: Mounts::read()
            .ok()
            .and_then(|mounts| Some(mounts.default_v2().ok()?.to_owned())),
        udp: Udp::Bytes,
        every_mode: true,
        max_flows: TRIAL_FLOWS,
        prefixes: (24, 48),
        btf: btf.clone(),
        pins: None,
        resume: false,
        sched: true,
        // Whether or not it is needed.
        dialing: Dialing::On,
    };
    let forms = forms(&btf);
    let (probes, error, counts_flows) = match Kernel::load(&options) {
        Ok(kernel) => (kernel.probes().to_vec(), None, kernel.counts()),
        Err(error) => (Vec::new(), Some(format!("{error:#}")), false),
    };
    Diagnosis {
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        capabilities: capabilities::held(),
        has_btf: forms.is_ok(),
        // Without types there is an error already.
        forms: forms.unwrap_or_default(),
        btf,
        probes,
        error,
        counts_flows,
    }
}

fn forms(path: &Path) -> Result<Vec<Form>> {
    let types = std::fs::read(path)?;
    let btf = btf::Btf::parse(&types)?;
    let mut forms = fields::forms(&btf)?;
    forms.push(tasks::Tasks::of(&btf)?.form());
    Ok(forms)
}

impl Diagnosis {
    /// For people.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "kernel         {}\nBTF            {}{}\n",
            self.kernel,
            self.btf.display(),
            if self.has_btf { "" } else { " cannot be read" }
        );
        for (name, has) in &self.capabilities {
            let _ = writeln!(text, "{name:<14} {}", if *has { "yes" } else { "no" });
        }
        for probe in &self.probes {
            let verdict = if probe.attached {
                "works"
            } else {
                "does not work"
            };
            let _ = writeln!(
                text,
                "\n{:<14} {verdict} ({}, since Linux {})",
                probe.name, probe.hook, probe.since
            );
            if let Some(reason) = &probe.reason {
                let _ = writeln!(
                    text,
                    "               why:     {reason}\n               lost:    {}\n               instead: {}",
                    probe.lost, probe.instead
                );
            }
        }
        for form in &self.forms {
            let verdict = if form.present {
                "as in new kernels"
            } else {
                "in an older form"
            };
            let _ = writeln!(
                text,
                "\n{:<14} {verdict} ({}, since Linux {})",
                form.name,
                form.needs,
                form.kernels()
            );
            if !form.present {
                let _ = writeln!(
                    text,
                    "               lost:    {}\n               instead: {}",
                    form.lost, form.instead
                );
            }
        }
        if let Some(error) = &self.error {
            let _ = writeln!(
                text,
                "\nnothing was loaded: {error}\n{:<14} lost:    {}",
                "", LIFE.lost
            );
        }
        let verdict = if self.counts_flows {
            "flows can be counted here"
        } else {
            "flows cannot be counted here"
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}
