//! The running kernel, as the agent's doctor sees it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::product::{program, run_once};

/// What is known about it.
pub(super) struct Kernel {
    /// `uname -r`, for example `5.10.0-46-cloud-amd64`: in Debian not the whole truth.
    pub(super) name: String,
    /// What Debian says that it is, for example 5.10.262.
    version: Version,
    /// The answer of `insight-agent doctor --json`.
    pub(super) diagnosis: Value,
}

type Version = [u16; 3];

impl Kernel {
    pub(super) fn ask() -> Result<Self> {
        let mut command = Command::new(program("insight-agent")?);
        command.args(["doctor", "--json"]);
        // It also answers, with another exit code, where nothing works.
        let outcome = run_once(command)?;
        let diagnosis: Value = serde_json::from_str(&outcome.stdout)
            .with_context(|| format!("the doctor answered {outcome:?}"))?;
        let name = diagnosis["kernel"].as_str().context("no kernel")?;
        let uname = rustix::system::uname();
        let built = uname.version().to_string_lossy();
        Ok(Self {
            name: name.to_owned(),
            version: debian(&built).with_context(|| format!("no version in {built}"))?,
            diagnosis,
        })
    }

    /// Whether open connections are read here.
    pub(super) fn reads_live(&self) -> bool {
        self.rows("probes")
            .iter()
            .any(|probe| probe["name"] == "readout" && probe["attached"] == true)
    }

    fn rows(&self, table: &str) -> &[Value] {
        self.diagnosis[table].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether everything works, and is there, from exactly the release on that the table says.
    pub(super) fn agrees(&self) -> Result<()> {
        ensure!(
            self.diagnosis["counts_flows"] == true,
            "flows are not counted: {}",
            self.diagnosis
        );
        for (table, verdict) in [("probes", "attached"), ("forms", "present")] {
            let rows = self.rows(table);
            ensure!(!rows.is_empty(), "no {table} in {}", self.diagnosis);
            for row in rows {
                let here = row[verdict].as_bool().context("no verdict")?;
                ensure!(
                    here == said_to_be_there(row, self.version)?,
                    "on {:?} {verdict} is {here}, which the row does not say: {row}",
                    self.version
                );
            }
        }
        Ok(())
    }
}

/// Since a release on, and in series that got it later.
fn said_to_be_there(row: &Value, here: Version) -> Result<bool> {
    let since = row["since"].as_str().and_then(version);
    let since = since.with_context(|| format!("no release in {row}"))?;
    let backports = row["backports"].as_array().into_iter().flatten();
    let mut backports = backports.filter_map(|text| version(text.as_str()?));
    Ok(here >= since || backports.any(|from| here[..2] == from[..2] && here >= from))
}

/// The version in `#1 SMP Debian 5.10.262-1 (2026-07-31)`.
fn debian(built: &str) -> Option<Version> {
    version(built.split_once("Debian ")?.1)
}

/// The first three numbers; two, as in `5.15`, are the beginning of a series.
fn version(text: &str) -> Option<Version> {
    let text = text.split(['-', ' ', '~', '+']).next()?;
    let mut numbers = text.split('.').map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some([
        major,
        minor,
        numbers.next().map_or(Ok(0), |patch| patch).ok()?,
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_read() {
        let of = |text: &str| {
            debian(&format!(
                "#1 SMP PREEMPT_DYNAMIC Debian {text} (2026-11-15)"
            ))
        };
        assert_eq!(of("5.10.262-1"), Some([5, 10, 262]));
        assert_eq!(of("7.3.4-1~bpo13+1"), Some([7, 3, 4]));
        assert_eq!(debian("#1 SMP 6.1.2"), None);
        assert_eq!(version("5.15"), Some([5, 15, 0]));
        assert_eq!(version("linux"), None);
    }

    fn kernel(version: Version, readout: bool, owner: bool) -> Kernel {
        Kernel {
            name: String::new(),
            version,
            diagnosis: json!({
                "counts_flows": true,
                "probes": [{"name": "readout", "since": "5.11", "attached": readout}],
                "forms": [{"name": "owner", "since": "5.15", "backports": ["5.10.226"], "present": owner}],
            }),
        }
    }

    #[test]
    fn the_table_must_be_right_in_both_directions() {
        let agrees = |version, readout, owner| kernel(version, readout, owner).agrees().is_ok();
        assert!(agrees([6, 1, 192], true, true) && kernel([6, 1, 0], true, true).reads_live());
        assert!(!agrees([6, 1, 192], false, true));
        assert!(agrees([5, 10, 262], false, true));
        assert!(!agrees([5, 10, 262], true, true));
        assert!(!agrees([5, 10, 223], false, true));
        assert!(agrees([5, 10, 223], false, false));
        assert!(agrees([5, 13, 226], true, false));
    }
}
