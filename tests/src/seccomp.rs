//! Processes under what a container runtime's default seccomp profile refuses.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// System calls that containerd's default profile (`contrib/seccomp/seccomp_default.go`) does not have for a container with CAP_BPF, CAP_PERFMON and
/// CAP_NET_ADMIN. `bpf` and `perf_event_open` are not among them: the first two capabilities allow them there.
const REFUSED: &[libc::c_long] = &[
    // Mounts and namespaces
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // The machine
    libc::SYS_acct,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_sysfs,
    libc::SYS_syslog,
    libc::SYS_ustat,
    libc::SYS_vhangup,
    // Keys
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Memory, other processes, and rings
    libc::SYS_fanotify_init,
    libc::SYS_get_mempolicy,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_set_mempolicy,
    libc::SYS_userfaultfd,
];

/// clone(2) may make a thread or a process, and none of these.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// A profile.
#[derive(Clone)]
pub struct Profile(Vec<BpfProgram>);

impl Profile {
    /// A runtime's default one, with what it allows for CAP_BPF and CAP_PERFMON.
    pub fn of_a_runtime() -> Result<Self> {
        Self::refusing(&[])
    }

    /// The same of an older runtime, which allows bpf(2) and perf_event_open(2) for CAP_SYS_ADMIN only.
    pub fn of_an_older_runtime() -> Result<Self> {
        Self::refusing(&[libc::SYS_bpf, libc::SYS_perf_event_open])
    }

    fn refusing(more: &[libc::c_long]) -> Result<Self> {
        let mut rules: Rules = REFUSED.iter().chain(more).map(whatever).collect();
        let makes = |namespace: libc::c_int| {
            let flag = u64::from(namespace.unsigned_abs());
            only_if(0, SeccompCmpOp::MaskedEq(flag), flag)
        };
        let clones = NAMESPACES.into_iter().map(makes);
        rules.insert(libc::SYS_clone, clones.collect::<Result<_>>()?);
        let vsock = only_if(0, SeccompCmpOp::Eq, libc::AF_VSOCK.unsigned_abs().into())?;
        rules.insert(libc::SYS_socket, vec![vsock]);
        // Its flags are behind a pointer; callers fall back to clone(2).
        let clone3 = Rules::from([whatever(&libc::SYS_clone3)]);
        Ok(Self(vec![
            program(rules, libc::EPERM)?,
            program(clone3, libc::ENOSYS)?,
        ]))
    }

    /// Makes `command` start under it. It gets no more rights by executing something, either.
    pub fn confine(self, command: &mut Command) {
        let enter = move || {
            let mut programs = self.0.iter();
            programs.try_for_each(|program| apply_filter(program).map_err(std::io::Error::other))
        };
        // SAFETY: the closure makes system calls only, with what was compiled before; it allocates if one of them fails, and then nothing is executed.
        unsafe {
            command.pre_exec(enter);
        }
    }
}

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// A call, whatever its arguments.
fn whatever(call: &libc::c_long) -> (libc::c_long, Vec<SeccompRule>) {
    (*call, Vec::new())
}

fn only_if(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// Lets everything else pass.
fn program(rules: Rules, error: libc::c_int) -> Result<BpfProgram> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, here)?;
    BpfProgram::try_from(filter).context("compile a seccomp filter")
}
