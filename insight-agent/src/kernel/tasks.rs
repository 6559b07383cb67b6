//! The fields of threads that the programs read. A kernel that lacks some does without the programs that need them.

use anyhow::{Result, bail};
use insight_ebpf::abi::TaskOffsets;

use super::Release;
use super::btf::Btf;
use super::fields::Form;

type Field = (fn(&mut TaskOffsets) -> &mut u32, &'static str, &'static str);

const FIELDS: [Field; 10] = [
    (|o| &mut o.run_delay, "task_struct", "sched_info.run_delay"),
    (|o| &mut o.pcount, "task_struct", "sched_info.pcount"),
    (|o| &mut o.start_boottime, "task_struct", "start_boottime"),
    (|o| &mut o.exit_state, "task_struct", "exit_state"),
    (|o| &mut o.pid, "task_struct", "pid"),
    (|o| &mut o.tgid, "task_struct", "tgid"),
    (|o| &mut o.signal, "task_struct", "signal"),
    (|o| &mut o.oom_mm, "signal_struct", "oom_mm"),
    (|o| &mut o.cgroups, "task_struct", "cgroups"),
    (|o| &mut o.dfl_cgrp, "css_set", "dfl_cgrp"),
];

/// The tracepoint's record got this together with the task as its argument (commit 72ba14deb40a).
const TELLS_TASK: (&str, &str) = ("trace_event_raw_mark_victim", "uid");

/// What this kernel tells of threads.
pub(super) struct Tasks {
    /// 0 where a field is missing.
    pub(super) offsets: TaskOffsets,
    /// Fields that are missing, as `task_struct.sched_info.run_delay`.
    missing: Vec<String>,
    /// Whether `mark_victim` tells the task, and not only a process id.
    pub(super) victim_is_task: bool,
}

impl Tasks {
    pub(super) fn of(btf: &Btf<'_>) -> Result<Self> {
        let mut offsets = TaskOffsets::default();
        let mut missing = Vec::new();
        for (place, name, member) in FIELDS {
            match btf.offset(name, member)? {
                Some(offset) => *place(&mut offsets) = offset,
                None => missing.push(format!("{name}.{member}")),
            }
        }
        Ok(Self {
            offsets,
            missing,
            victim_is_task: btf.offset(TELLS_TASK.0, TELLS_TASK.1)?.is_some(),
        })
    }

    /// An error that names what is missing, if anything of the named parts is.
    pub(super) fn has(&self, parts: &[&str]) -> Result<()> {
        let missing = |field: &&String| parts.iter().any(|part| field.contains(part));
        if let Some(field) = self.missing.iter().find(missing) {
            bail!(
                "this kernel has no {field} (it is built without CONFIG_SCHED_INFO, or is too old)"
            );
        }
        Ok(())
    }

    /// The row of the fallback table.
    pub(super) fn form(&self) -> Form {
        Form {
            name: "victim",
            needs: "mark_victim(task)",
            since: Release(6, 9),
            backports: &["6.6.80", "6.1.130", "5.15.179", "5.10.235"],
            present: self.victim_is_task,
            lost: "nothing, but a process that does not die after it was chosen to be killed is not counted",
            instead: "signal_struct.oom_mm, when the process is freed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_is_filled_once() {
        let mut offsets = TaskOffsets::default();
        for (place, ..) in FIELDS {
            *place(&mut offsets) += 1;
        }
        let filled = format!("{offsets:?}");
        assert_eq!(filled.matches(": 1").count(), FIELDS.len(), "{filled}");
        assert_eq!(FIELDS.len(), size_of::<TaskOffsets>() / size_of::<u32>());
    }

    #[test]
    fn what_is_missing_is_named_to_whom_it_matters() {
        let tasks = Tasks {
            offsets: TaskOffsets::default(),
            missing: vec!["task_struct.sched_info.pcount".to_owned()],
            victim_is_task: true,
        };
        assert!(tasks.has(&["cgroups", "oom_mm"]).is_ok());
        let error = tasks.has(&["sched_info"]).unwrap_err().to_string();
        assert!(error.contains("sched_info.pcount"), "{error}");
    }
}
