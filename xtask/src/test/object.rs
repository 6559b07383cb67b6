//! The BPF object for the tests: there, not to be had on this machine, or broken.

use std::path::{Path, PathBuf};

use crate::bpf;
use crate::project::Project;
use crate::setup::{self, needs};

/// What the tiers know about the object.
pub(crate) enum Object {
    /// Built, current
    Built(PathBuf),
    /// This machine has no BPF toolchain, and why
    Unavailable(String),
    /// The toolchain is there, the build failed
    Broken(anyhow::Error),
}

impl Object {
    /// Builds it; `install` first installs what that needs. Without it the object is built only where everything is there already,
    /// so that lint and unit tests ask nothing of a machine.
    pub(crate) fn prepare(project: &Project, install: bool) -> Self {
        let missing = if install {
            let missing = setup::ensure(project, needs::BPF);
            missing
                .first()
                .map(|missing| format!("{}: {}", missing.name, missing.reason))
        } else {
            let absent = setup::absent(project, needs::BPF);
            absent
                .first()
                .map(|need| format!("there is no {}", need.name))
        };
        if let Some(reason) = missing {
            println!("not built, {reason}; the agent embeds a stub");
            return Self::Unavailable(reason);
        }
        match bpf::build(project) {
            Ok(path) => Self::Built(path),
            Err(error) => Self::Broken(error),
        }
    }

    /// Its path, for the agent's build script.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Built(path) => Some(path),
            Self::Unavailable(_) | Self::Broken(_) => None,
        }
    }
}
