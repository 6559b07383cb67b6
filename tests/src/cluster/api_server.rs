//! The cluster's own API server, away for a while and for everybody.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Cluster, xtask};
use crate::wait::{PATIENCE, eventually};

/// Where the cluster notes its process: its id, and when it began in clock ticks since boot.
const NOTE: &str = "run/kube-apiserver";

impl Cluster {
    /// Kills the API server, does something without it while nobody else uses the cluster, and lets `cargo xtask cluster up` start what is missing,
    /// however the work ended. What runs in a pod must not need the API server meanwhile, as `kubectl exec` does.
    pub fn without_api_server<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.alone(|| {
            let mut away = Away(true);
            let done = self.kill_api_server().and_then(|()| work());
            away.end()?;
            done
        })
    }

    fn kill_api_server(&self) -> Result<()> {
        let folder = self.kubeconfig.parent().context("the cluster's folder")?;
        let path = folder.join(NOTE);
        let note = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let (id, began) = note.trim().split_once(' ').context("an id and a time")?;
        let process = Path::new("/proc").join(id).join("stat");
        // By id and time: the id may be somebody else's by now.
        let is_it = || fs::read_to_string(&process).is_ok_and(|stat| runs_since(&stat, began));
        ensure!(is_it(), "the API server does not run: {note}");
        let pid = Pid::from_raw(id.parse()?).context("a process id")?;
        kill_process(pid, Signal::KILL)?;
        eventually(PATIENCE, "the API server's end", || {
            ensure!(!is_it(), "process {id} runs");
            let answer = self.try_kubectl(&["get", "--raw=/readyz", "--request-timeout=5s"])?;
            ensure!(answer.code != Some(0), "something answers: {answer:?}");
            Ok(())
        })
    }
}

/// proc(5): whether a process with this state runs, and began at this time.
fn runs_since(stat: &str, began: &str) -> bool {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let fields: Vec<&str> = fields.split(' ').collect();
    fields
        .first()
        .is_some_and(|state| !["Z", "X"].contains(state))
        && fields.get(19) == Some(&began)
}

/// Whether it has to be started.
struct Away(bool);

impl Away {
    fn end(&mut self) -> Result<()> {
        self.0 = false;
        let status = xtask(&["up"])?.status().context("run xtask")?;
        ensure!(status.success(), "'cargo xtask cluster up' failed");
        Ok(())
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if self.0
            && let Err(error) = self.end()
        {
            eprintln!("the API server is still away: {error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_when_it_began() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1;
        let began = fields.split(' ').nth(19).unwrap();
        assert!(runs_since(&stat, began));
        assert!(!runs_since(&stat, "1"));
        assert!(!runs_since(&format!("1 (x) Z{}", &fields[1..]), began));
        assert!(!runs_since("", began));
    }
}
