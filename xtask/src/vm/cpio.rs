//! Archives that the kernel unpacks into its first file system (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const TRAILER: &str = "TRAILER!!!";

/// One archive in the making.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    inode: usize,
}

impl Archive {
    /// Adds an empty folder, and those above it.
    pub(crate) fn folder(&mut self, path: &str) {
        let path = path.trim_matches('/');
        if path.is_empty() || self.folders.contains(path) {
            return;
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        self.folders.insert(path.to_owned());
        self.entry(path, DIRECTORY, &[]);
    }

    /// Adds a file, executable, in its folders.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        let path = path.trim_start_matches('/');
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
        self.entry(path, PROGRAM, content);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK, target.as_bytes());
    }

    /// Adds a file of this machine.
    pub(crate) fn copy(&mut self, from: &Path, path: &str) -> Result<()> {
        let content = std::fs::read(from).with_context(|| format!("read {}", from.display()))?;
        self.file(path, &content);
        Ok(())
    }

    /// The finished archive. Several may follow one another in one file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry(TRAILER, 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let (inode, mode) = (self.inode, mode as usize);
        // inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let numbers = [
            inode,
            mode,
            0,
            0,
            1,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for number in numbers {
            self.bytes
                .extend_from_slice(format!("{number:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        let length = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_the_format_that_the_kernel_reads() {
        let mut archive = Archive::default();
        archive.file("/bin/hi", b"hello");
        archive.folder("/bin");
        archive.link("bin/ho", "hi");
        let bytes = archive.finish();
        let text = String::from_utf8(bytes).unwrap();
        let header = |inode: u32, mode: u32, size: u32, name: &str| {
            format!(
                "070701{inode:08x}{mode:08x}{z}{z}{one}{z}{size:08x}{z}{z}{z}{z}{:08x}{z}{name}\0",
                name.len() + 1,
                z = "00000000",
                one = "00000001"
            )
        };
        // Headers have 110 bytes, and all is padded to 4.
        let expected = [
            header(1, 0o40755, 0, "bin") + "\0\0",
            header(2, 0o100_755, 5, "bin/hi") + "\0\0\0" + "hello\0\0\0",
            header(3, 0o120_777, 2, "bin/ho") + "\0\0\0" + "hi\0\0",
            header(4, 0, 0, "TRAILER!!!") + "\0\0\0",
        ];
        assert_eq!(text, expected.concat());
    }
}
