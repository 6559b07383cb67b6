//! Programs that do not outlive us, even when we are killed and can stop nothing.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The kernel sends the program SIGTERM when we end. (One started by sudo does not inherit this: it changes its user.)
pub(crate) fn tie(command: &mut Command) {
    // SAFETY: prctl is one system call and touches no memory of ours, so it is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clean_host::processes::Process;
    use crate::patience::wait_until;

    #[test]
    fn a_tied_program_ends_with_the_thread_that_started_it() {
        let start = || {
            let mut command = Command::new("sleep");
            command.arg("1000");
            tie(&mut command);
            command.spawn().unwrap()
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        let ended = wait_until(Duration::from_secs(5), || {
            !Process::find(child.id()).is_some_and(|process| process.alive())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ended);
    }
}
