//! SHA-256, by coreutils' program: names of caches, and what image formats ask for.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Of a file, in hexadecimal digits.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let output = Command::new("sha256sum")
        .stdin(file)
        .stderr(Stdio::inherit())
        .output()
        .context("run 'sha256sum' (package coreutils)")?;
    ensure!(
        output.status.success(),
        "'sha256sum' of {} failed ({})",
        path.display(),
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let digest = text.split(' ').next().unwrap_or_default();
    ensure!(digest.len() == 64, "'sha256sum' answered {text:?}");
    Ok(digest.to_owned())
}

/// Of several files together; their order counts, their names do not.
pub(crate) fn of_files(paths: &[&Path]) -> Result<String> {
    let list: Vec<String> = paths
        .iter()
        .map(|path| of_file(path))
        .collect::<Result<_>>()?;
    Ok(list.iter().map(|digest| &digest[..16]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_the_content() {
        let file = std::env::temp_dir().join(format!("insight-digest-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        let digest = of_file(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest, known);
        assert!(of_file(&file).is_err());
    }
}
