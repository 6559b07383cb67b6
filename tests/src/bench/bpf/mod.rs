//! The kernel's run-time statistics of BPF programs, by bpf(2).

pub(super) mod call;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use call::{Attributes, bpf, descriptor, number};

use super::fdinfo::Objects;

// `enum bpf_cmd`, include/uapi/linux/bpf.h
pub(super) const PROG_LOAD: libc::c_long = 5;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
pub(super) const LINK_CREATE: libc::c_long = 28;
const ENABLE_STATS: libc::c_long = 32;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
const RAW_TRACEPOINT: u32 = 17;
/// Where the attachment's type is among the words of [`PROG_LOAD`].
pub(super) const EXPECTED_ATTACH_TYPE: usize = 17;

/// The start of `struct bpf_prog_info`, up to the counts.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    before_name: [u64; 8],
    name: [u8; 16],
    between: [u64; 14],
    run_time_ns: u64,
    run_count: u64,
}

const _: () = assert!(std::mem::offset_of!(ProgramInfo, name) == 64);
const _: () = assert!(std::mem::offset_of!(ProgramInfo, run_time_ns) == 192);

/// How often a program ran, and how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// Nanoseconds.
    pub(crate) time_ns: u64,
    pub(crate) count: u64,
}

impl Runs {
    /// What was added since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            time_ns: self.time_ns - before.time_ns,
            count: self.count - before.count,
        }
    }

    /// Mean time of a run, nanoseconds; `None` if there was none.
    pub(super) fn mean_ns(self) -> Option<f64> {
        (self.count > 0).then(|| self.time_ns as f64 / self.count as f64)
    }
}

/// While this lives, the kernel counts and times each run of a program.
pub(crate) struct Statistics {
    // The kernel stops when the descriptor is closed.
    _on: OwnedFd,
}

impl Statistics {
    /// Turns them on. `BPF_STATS_RUN_TIME` is 0.
    pub(crate) fn on() -> Result<Self> {
        // SAFETY: no pointers in the attributes.
        let on = unsafe { descriptor(ENABLE_STATS, &mut Attributes::default()) }
            .context("turn on the kernel's BPF statistics (Linux 5.8, root)")?;
        Ok(Self { _on: on })
    }
}

/// The program that the agent itself runs each interval; the others run when sockets do something.
const READOUT: &str = "readout";

/// Runs of each of an agent's programs, by name.
pub(crate) fn runs_by_program(agent: u32) -> Result<BTreeMap<String, Runs>> {
    Objects::of(agent)?
        .programs
        .into_iter()
        .map(about)
        .collect()
}

/// Runs of all programs of a process, an agent or another counter, that traffic starts.
pub(super) fn runs_by_traffic(process: u32) -> Result<Runs> {
    let mut sum = Runs::default();
    let mut found = false;
    for id in Objects::of(process)?.programs {
        let (name, runs) = about(id)?;
        if name != READOUT {
            sum.time_ns += runs.time_ns;
            sum.count += runs.count;
            found = true;
        }
    }
    ensure!(
        found,
        "process {process} has no BPF program open that counts connections"
    );
    Ok(sum)
}

/// Runs of one of an agent's programs.
pub(super) fn runs_of(agent: u32, program: &str) -> Result<Runs> {
    for id in Objects::of(agent)?.programs {
        let (name, runs) = about(id)?;
        if name == program {
            return Ok(runs);
        }
    }
    anyhow::bail!("process {agent} has no BPF program {program}")
}

/// Name and runs of a program.
fn about(id: u32) -> Result<(String, Runs)> {
    // SAFETY: no pointers in the attributes.
    let program = unsafe { descriptor(PROG_GET_FD_BY_ID, &mut Attributes::with(&[id])) }
        .with_context(|| format!("open BPF program {id}"))?;
    about_open(&program)
}

fn about_open(program: &OwnedFd) -> Result<(String, Runs)> {
    let mut info = ProgramInfo::default();
    let size = u32::try_from(size_of::<ProgramInfo>())?;
    let mut attributes =
        Attributes::with(&[number(program), size]).pointer(2, (&raw mut info).cast());
    // SAFETY: the kernel writes `size` bytes to `info`, for which any bytes are valid.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) }.context("ask about a BPF program")?;
    let name = CStr::from_bytes_until_nul(&info.name).unwrap_or_default();
    let runs = Runs {
        time_ns: info.run_time_ns,
        count: info.run_count,
    };
    Ok((name.to_string_lossy().into_owned(), runs))
}

/// Where a program that does nothing runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hook<'a> {
    /// A tracepoint of the kernel.
    Tracepoint(&'a CStr),
    /// For what is below a cgroup: the program's type and the attachment's, by their numbers in include/uapi/linux/bpf.h.
    Cgroup(&'a Path, u32, u32),
}

/// A program that does nothing: what timing itself costs, and what it costs that a program runs at all.
pub(super) struct EmptyProgram {
    program: OwnedFd,
    _link: OwnedFd,
}

impl EmptyProgram {
    /// Loads it and attaches it to a tracepoint.
    pub(super) fn attach(tracepoint: &CStr) -> Result<Self> {
        Self::on(Hook::Tracepoint(tracepoint))
    }

    /// Loads and attaches it.
    pub(super) fn on(hook: Hook<'_>) -> Result<Self> {
        // `r0 = 1`, `exit`, each 8 bytes of struct bpf_insn: code, registers, offset, immediate. To cgroups 1 means: go on.
        let instructions: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
        let (kind, expected) = match hook {
            Hook::Tracepoint(_) => (RAW_TRACEPOINT, 0),
            Hook::Cgroup(_, kind, attachment) => (kind, attachment),
        };
        let mut load = Attributes::with(&[kind, 2])
            .pointer(2, instructions.as_ptr().cast())
            .pointer(4, c"GPL".as_ptr().cast())
            .word(EXPECTED_ATTACH_TYPE, expected);
        // SAFETY: both pointers are valid during the call: two instructions, and a string with its end.
        let program = unsafe { descriptor(PROG_LOAD, &mut load) }
            .with_context(|| format!("load an empty program for {hook:?}"))?;
        let link = match hook {
            Hook::Tracepoint(name) => {
                let mut open =
                    Attributes::with(&[0, 0, number(&program)]).pointer(0, name.as_ptr().cast());
                // SAFETY: the pointer is to a string with its end.
                unsafe { descriptor(RAW_TRACEPOINT_OPEN, &mut open) }
            }
            Hook::Cgroup(folder, _, attachment) => {
                let folder = OwnedFd::from(File::open(folder)?);
                let mut link = Attributes::with(&[number(&program), number(&folder), attachment]);
                // SAFETY: no pointers in the attributes.
                unsafe { descriptor(LINK_CREATE, &mut link) }
            }
        };
        let link = link.with_context(|| format!("attach an empty program to {hook:?}"))?;
        Ok(Self {
            program,
            _link: link,
        })
    }

    /// Its runs so far.
    pub(super) fn runs(&self) -> Result<Runs> {
        about_open(&self.program).map(|(_, runs)| runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_from_a_moment() {
        let runs = |time_ns, count| Runs { time_ns, count };
        assert_eq!(runs(9, 5).since(runs(4, 2)), runs(5, 3));
        assert_eq!(runs(9, 2).mean_ns(), Some(4.5));
        assert_eq!(runs(9, 0).mean_ns(), None);
    }
}
