//! The machine's file system, in memory: the programs, busybox, `ip`, and the kernel's modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::cpio::Archive;
use super::fetch::Fetched;
use crate::cargo;

/// What the first process runs.
const INIT: &str = include_str!("init.sh");
/// Mount points.
const FOLDERS: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "root"];
/// What the script and the tests call of busybox.
const APPLETS: [&str; 9] = [
    "sh", "mount", "umount", "insmod", "reboot", "echo", "cat", "sleep", "mkdir",
];
/// Insight's programs.
pub(super) const PROGRAMS: [&str; 4] = [
    "insight-agent",
    "insight-aggregator",
    "insight-load",
    "insight-vm",
];

/// The part that is the same for every kernel.
pub(crate) fn base(programs: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder);
    }
    archive.file("init", INIT.as_bytes());
    let busybox = find("busybox")?;
    with_libraries(&mut archive, &busybox, "bin/busybox")?;
    for applet in APPLETS {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    with_libraries(&mut archive, &find("ip")?, "bin/ip")?;
    for program in PROGRAMS {
        archive.copy(&programs.join(program), &format!("bin/{program}"))?;
    }
    Ok(archive.finish())
}

/// The part of one kernel.
pub(crate) fn modules(kernel: &Fetched) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for file in kernel.modules()? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        archive.copy(&file, &format!("modules/{name}"))?;
    }
    Ok(archive.finish())
}

/// A program of this machine, also where only root looks for it.
fn find(name: &str) -> Result<PathBuf> {
    let path = cargo::search_path();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut places = folders.map(|folder| folder.join(name));
    places
        .find(|place| place.is_file())
        .with_context(|| format!("there is no program {name}"))
}

/// Adds a program with the libraries that it is linked to, where its loader looks for them.
fn with_libraries(archive: &mut Archive, program: &Path, path: &str) -> Result<()> {
    archive.copy(program, path)?;
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("run ldd")?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let libraries = libraries(&answer);
    // It also fails for a program that needs none, and then says so.
    ensure!(
        output.status.success() || libraries.is_empty(),
        "'ldd {}' failed: {answer}",
        program.display()
    );
    for library in libraries {
        archive.copy(Path::new(library), library)?;
    }
    Ok(())
}

/// The files in what ldd prints: `NAME => FILE (ADDRESS)`, `FILE (ADDRESS)`; what the kernel provides has no file.
fn libraries(answer: &str) -> Vec<&str> {
    answer.lines().filter_map(library).collect()
}

fn library(line: &str) -> Option<&str> {
    let (line, _) = line.rsplit_once(" (0x")?;
    let file = line.rsplit_once("=> ").map_or(line, |(_, file)| file);
    Some(file.trim()).filter(|file| file.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_files() {
        let answer = "\tlinux-vdso.so.1 (0x00007ffc)\n\
            \tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f01)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n";
        assert_eq!(
            libraries(answer),
            [
                "/lib/x86_64-linux-gnu/libmnl.so.0",
                "/lib64/ld-linux-x86-64.so.2"
            ]
        );
        assert!(libraries("\tnot a dynamic executable\n").is_empty());
    }

    #[test]
    fn the_script_calls_only_what_is_there() {
        let known: Vec<&str> = APPLETS.into_iter().chain(PROGRAMS).chain(["ip"]).collect();
        let builtin = ["export", "exec", "for", "done"];
        let lines = INIT
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        for line in lines {
            let word = line.split(' ').next().unwrap_or_default();
            assert!(
                known.contains(&word) || builtin.contains(&word),
                "{word} is not in the machine"
            );
        }
    }
}
