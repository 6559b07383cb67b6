//! Is something there? Looks, and changes nothing.

use std::path::{Path, PathBuf};

use super::needs::{Accept, Sign};
use crate::cargo;

/// Whether the sign is seen.
pub(crate) fn present(root: &Path, sign: &Sign) -> bool {
    match sign {
        Sign::InSysroot(file) => {
            cargo::answer(cargo::tool(root, "rustc").args(["--print", "sysroot"]))
                .is_ok_and(|sysroot| PathBuf::from(sysroot).join(file).is_file())
        }
        Sign::File(paths) => paths.iter().any(|path| Path::new(path).is_file()),
        Sign::Answers(words) => ask(root, words).is_some(),
        Sign::Version { ask: words, accept } => ask(root, words)
            .and_then(|answer| version(&answer))
            .is_some_and(|version| accepted(accept, version)),
    }
}

fn ask(root: &Path, words: &[&str]) -> Option<String> {
    let (program, args) = words.split_first()?;
    cargo::answer(cargo::tool(root, program).args(args)).ok()
}

/// The first `1.2.3` in an answer such as `bpf-linker 0.10.4` or `go version go1.26.8`; what follows the third number (`-rc1`) is
/// dropped.
fn version(answer: &str) -> Option<[u32; 3]> {
    answer.split_whitespace().find_map(|word| {
        let word = word.strip_prefix("go").unwrap_or(word);
        let mut numbers = word.splitn(3, '.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit());
            part[..end.unwrap_or(part.len())].parse().ok()
        });
        Some([numbers.next()??, numbers.next()??, numbers.next()??])
    })
}

fn accepted(accept: &Accept, version: [u32; 3]) -> bool {
    match accept {
        Accept::Exactly(wanted) => version == *wanted,
        Accept::AtLeast(wanted) => version >= *wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_programs_answer() {
        assert_eq!(version("bpf-linker 0.10.4"), Some([0, 10, 4]));
        assert_eq!(
            version("cargo-deny 0.20.2-rc1 (abc 2026)"),
            Some([0, 20, 2])
        );
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some([1, 26, 8]));
        assert_eq!(version("ip utility, iproute2-6.1.0"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn the_linker_is_wanted_exactly_and_the_checker_at_least() {
        assert!(accepted(&Accept::Exactly([0, 10, 4]), [0, 10, 4]));
        assert!(!accepted(&Accept::Exactly([0, 10, 4]), [0, 13, 0]));
        assert!(accepted(&Accept::AtLeast([0, 20, 2]), [0, 21, 0]));
        assert!(!accepted(&Accept::AtLeast([0, 20, 2]), [0, 20, 1]));
    }

    #[test]
    fn what_nobody_has_is_not_present() {
        let root = Path::new("/");
        assert!(!present(root, &Sign::Answers(&["insight-no-such-program"])));
        assert!(present(root, &Sign::Answers(&["true"])));
        assert!(!present(root, &Sign::Answers(&["false"])));
    }

    #[test]
    fn a_file_of_the_toolchain_is_found_in_its_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(present(root, &Sign::InSysroot("bin/rustc")));
        assert!(!present(root, &Sign::InSysroot("bin/insight-no-such-file")));
    }
}
