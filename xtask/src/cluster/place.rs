//! Where a program of a node runs: decided before the fork, entered between fork and exec.
//!
//! The first program of a node makes the node's mount and cgroup namespaces, and what is mounted there; the later ones enter them.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use super::cgroups::{self, Hierarchy};
use super::layout::{INSIDE, Node};
use super::network;

/// Sysctls of the whole machine that a kubelet would set. It sees its own values, and the machine keeps its.
pub(crate) const KUBELETS_SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// One call to the kernel. Everything that it needs is allocated already.
enum Step {
    /// Join the cgroup whose `cgroup.procs` this is
    Join(File),
    /// Enter a namespace
    Enter(File, LinkNameSpaceType),
    /// Leave the mount and the cgroup namespace for new ones, and keep mounts from spreading out of it
    Unshare,
    /// Make a folder
    Folder(CString),
    /// Mount a file system
    Mount {
        kind: CString,
        target: CString,
        options: CString,
        /// It may be unknown to this kernel
        optional: bool,
    },
    /// Show a file or folder at a second place
    Bind(CString, CString),
}

impl Step {
    fn take(&self) -> io::Result<()> {
        match self {
            // "0" is the writer itself.
            Self::Join(procs) => rustix::io::write(procs, b"0").map(drop)?,
            Self::Enter(namespace, kind) => {
                move_into_link_name_space(namespace.as_fd(), Some(*kind))?;
            }
            Self::Unshare => {
                // SAFETY: neither flag touches the table of descriptors; the child has one thread.
                unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWCGROUP)? };
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                mount_change(c"/", private)?;
            }
            Self::Folder(path) => match rustix::fs::mkdir(path, 0o755.into()) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            },
            Self::Mount {
                kind,
                target,
                options,
                optional,
            } => {
                let data: &CStr = options;
                let mounted = mount(c"none", target, kind, MountFlags::empty(), data);
                if !optional {
                    mounted?;
                }
            }
            Self::Bind(source, target) => {
                rustix::mount::mount_bind(source, target)?;
            }
        }
        Ok(())
    }

    /// For the program's log: the parent learns no more than the error's number.
    fn name(&self) -> &[u8] {
        match self {
            Self::Join(_) => b"a cgroup to join",
            Self::Enter(..) => b"a namespace to enter",
            Self::Unshare => b"new namespaces",
            Self::Folder(path) | Self::Mount { target: path, .. } | Self::Bind(_, path) => {
                path.as_bytes()
            }
        }
    }
}

/// Lets the command run outside of any node, in the cluster's cgroup of this name.
pub(crate) fn outside(command: &mut Command, cgroup: &str) -> Result<()> {
    put(command, join(cgroup)?);
    Ok(())
}

/// Lets the command be the first of a node. `programs` is shown there as `/run/insight/bin`.
pub(crate) fn first(command: &mut Command, node: &Node, programs: &Path) -> Result<()> {
    cgroups::take_back(&node.cgroup())?;
    let mut steps = join(&node.cgroup())?;
    let netns = network::open(node)?;
    steps.push(Step::Enter(netns, LinkNameSpaceType::Network));
    // The cgroup in which one is becomes the new namespace's root.
    steps.push(Step::Unshare);
    steps.extend(join(&node.runtime())?);
    steps.extend(mounts(node, programs)?);
    put(command, steps);
    Ok(())
}

/// Lets the command be another one of a node, in which `process` is already.
pub(crate) fn further(command: &mut Command, node: &Node, process: u32) -> Result<()> {
    let mut steps = join(&node.runtime())?;
    let kinds = [
        ("cgroup", LinkNameSpaceType::ControlGroup),
        ("net", LinkNameSpaceType::Network),
        ("mnt", LinkNameSpaceType::Mount),
    ];
    for (name, kind) in kinds {
        let path = format!("/proc/{process}/ns/{name}");
        let file = File::open(&path).with_context(|| format!("open {path}"))?;
        steps.push(Step::Enter(file, kind));
    }
    put(command, steps);
    Ok(())
}

fn join(cgroup: &str) -> Result<Vec<Step>> {
    Ok(cgroups::entrances(cgroup)?
        .into_iter()
        .map(Step::Join)
        .collect())
}

/// The node's own view: /run, /var, /sys with its cgroups and its BPF file system, and what a kubelet must not change.
fn mounts(node: &Node, programs: &Path) -> Result<Vec<Step>> {
    let mut steps = vec![file_system("tmpfs", "/run", "mode=755")?];
    let (etc, bin) = (format!("{INSIDE}/etc"), format!("{INSIDE}/bin"));
    for folder in [INSIDE, &etc, &bin, "/run/netns", "/run/lock"] {
        steps.push(Step::Folder(CString::new(folder)?));
    }
    let folder = node.folder();
    steps.push(bind(&folder.join("etc"), &etc)?);
    steps.push(bind(programs, &bin)?);
    for (key, _) in KUBELETS_SYSCTLS {
        let own = folder.join("etc").join(sysctl_file(key));
        steps.push(bind(&own, &format!("/proc/sys/{key}"))?);
    }
    // Last of those that name what is below this machine's /var.
    steps.push(bind(&folder.join("var"), "/var")?);
    // Of the node's network namespace.
    steps.push(file_system("sysfs", "/sys", "")?);
    let top = "/sys/fs/cgroup";
    let hierarchies = cgroups::hierarchies()?;
    if hierarchies.iter().all(|one| one.point != Path::new(top)) {
        steps.push(file_system("tmpfs", top, "mode=755")?);
    }
    for Hierarchy {
        point,
        kind,
        options,
    } in hierarchies
    {
        let point = point.to_str().context("a path of a mount is text")?;
        if point != top {
            steps.push(Step::Folder(CString::new(point)?));
        }
        steps.push(file_system(&kind, point, &options)?);
    }
    for (kind, target) in [("bpf", "/sys/fs/bpf"), ("tracefs", "/sys/kernel/tracing")] {
        steps.push(Step::Mount {
            kind: CString::new(kind)?,
            target: CString::new(target)?,
            options: CString::default(),
            optional: true,
        });
    }
    Ok(steps)
}

/// The file, in a node's `etc`, that stands for a sysctl.
pub(crate) fn sysctl_file(key: &str) -> String {
    format!("sysctl-{}", key.replace('/', "-"))
}

fn file_system(kind: &str, target: &str, options: &str) -> Result<Step> {
    Ok(Step::Mount {
        kind: CString::new(kind)?,
        target: CString::new(target)?,
        options: CString::new(options)?,
        optional: false,
    })
}

fn bind(source: &Path, target: &str) -> Result<Step> {
    let source = source.to_str().context("a path is text")?;
    Ok(Step::Bind(CString::new(source)?, CString::new(target)?))
}

fn put(command: &mut Command, steps: Vec<Step>) {
    let take = move || {
        for step in &steps {
            if let Err(error) = step.take() {
                let errors = rustix::stdio::stderr();
                for part in [b"cannot have ".as_slice(), step.name(), b"\n"] {
                    let _ = rustix::io::write(errors, part);
                }
                return Err(error);
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, with what was allocated before; it neither allocates nor locks.
    unsafe {
        command.pre_exec(take);
    }
}
