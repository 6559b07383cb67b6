//! The kernel's run-time statistics of BPF programs, by bpf(2).

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::fdinfo::Objects;

// `enum bpf_cmd`, include/uapi/linux/bpf.h
const PROG_LOAD: libc::c_long = 5;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const LINK_CREATE: libc::c_long = 28;
const ENABLE_STATS: libc::c_long = 32;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
const RAW_TRACEPOINT: u32 = 17;
/// Where the attachment's type is among the words of [`PROG_LOAD`].
const EXPECTED_ATTACH_TYPE: usize = 17;

/// The union of bpf(2), as far as these commands use it: each reads its own words and wants the rest to be zero.
#[repr(C, align(8))]
#[derive(Default)]
struct Attributes([u32; 32]);

impl Attributes {
    fn with(words: &[u32]) -> Self {
        let mut attributes = Self::default();
        attributes.0[..words.len()].copy_from_slice(words);
        attributes
    }

    /// A pointer at the word with this number, an even one.
    fn pointer(mut self, word: usize, pointer: *const libc::c_void) -> Self {
        let bytes = (pointer as u64).to_ne_bytes();
        let half = |from: usize| {
            u32::from_ne_bytes([
                bytes[from],
                bytes[from + 1],
                bytes[from + 2],
                bytes[from + 3],
            ])
        };
        (self.0[word], self.0[word + 1]) = (half(0), half(4));
        self
    }
}

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
        let on = unsafe { descriptor(ENABLE_STATS, &Attributes::default()) }
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

/// Runs of all of an agent's programs that traffic starts.
pub(super) fn runs_by_traffic(agent: u32) -> Result<Runs> {
    let mut sum = Runs::default();
    let mut found = false;
    for (name, runs) in runs_by_program(agent)? {
        if name != READOUT {
            sum.time_ns += runs.time_ns;
            sum.count += runs.count;
            found = true;
        }
    }
    ensure!(
        found,
        "process {agent} has no BPF program open that counts connections"
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
    let program = unsafe { descriptor(PROG_GET_FD_BY_ID, &Attributes::with(&[id])) }
        .with_context(|| format!("open BPF program {id}"))?;
    about_open(&program)
}

fn about_open(program: &OwnedFd) -> Result<(String, Runs)> {
    let mut info = ProgramInfo::default();
    let size = u32::try_from(size_of::<ProgramInfo>())?;
    let attributes = Attributes::with(&[number(program), size]).pointer(2, (&raw mut info).cast());
    // SAFETY: the kernel writes `size` bytes to `info`, for which any bytes are valid.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &attributes) }.context("ask about a BPF program")?;
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
            .pointer(4, c"GPL".as_ptr().cast());
        load.0[EXPECTED_ATTACH_TYPE] = expected;
        // SAFETY: both pointers are valid during the call: two instructions, and a string with its end.
        let program = unsafe { descriptor(PROG_LOAD, &load) }
            .with_context(|| format!("load an empty program for {hook:?}"))?;
        let link = match hook {
            Hook::Tracepoint(name) => {
                let open =
                    Attributes::with(&[0, 0, number(&program)]).pointer(0, name.as_ptr().cast());
                // SAFETY: the pointer is to a string with its end.
                unsafe { descriptor(RAW_TRACEPOINT_OPEN, &open) }
            }
            Hook::Cgroup(folder, _, attachment) => {
                let folder = OwnedFd::from(File::open(folder)?);
                let link = Attributes::with(&[number(&program), number(&folder), attachment]);
                // SAFETY: no pointers in the attributes.
                unsafe { descriptor(LINK_CREATE, &link) }
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

fn number(fd: &OwnedFd) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

/// # Safety
/// As [`bpf`]; and the command answers a new descriptor.
unsafe fn descriptor(command: libc::c_long, attributes: &Attributes) -> io::Result<OwnedFd> {
    // SAFETY: as the caller promises.
    let fd = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// # Safety
/// The pointers in the attributes are valid for what the command does with them.
unsafe fn bpf(command: libc::c_long, attributes: &Attributes) -> io::Result<i32> {
    // SAFETY: the attributes are as long as we say; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<Attributes>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_fill_two_words() {
        let value = 0x0102_0304_0506_0708_usize as *const libc::c_void;
        let attributes = Attributes::with(&[9, 8]).pointer(2, value);
        let words = &attributes.0;
        assert_eq!(words[..2], [9, 8]);
        let joined = match cfg!(target_endian = "little") {
            true => u64::from(words[3]) << 32 | u64::from(words[2]),
            false => u64::from(words[2]) << 32 | u64::from(words[3]),
        };
        assert_eq!(joined, 0x0102_0304_0506_0708);
        assert!(words[4..].iter().all(|word| *word == 0));
    }

    #[test]
    fn runs_are_counted_from_a_moment() {
        let runs = |time_ns, count| Runs { time_ns, count };
        assert_eq!(runs(9, 5).since(runs(4, 2)), runs(5, 3));
    }
}
