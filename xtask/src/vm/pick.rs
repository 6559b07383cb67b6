//! Which packages make up the newest kernel of a series.

/// Debian's flavour for virtual machines: small, and with every driver that QEMU needs.
const FLAVOUR: &str = "-cloud-amd64";

/// A kernel's packages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// For example `6.1.0-56-cloud-amd64`
    pub(crate) version: String,
    /// What to download
    pub(crate) packages: Vec<String>,
}

/// The newest kernel of a series (`6.1`; `7` for the newest of all 7.x; or one exactly, `5.10.0-32`) among package names.
pub(crate) fn newest(names: &[String], series: &str) -> Option<Choice> {
    let versions = names
        .iter()
        .filter_map(|name| name.strip_prefix("linux-image-")?.strip_suffix(FLAVOUR))
        .filter(|version| belongs(version, series));
    let choices = versions.filter_map(|version| {
        Some(Choice {
            packages: packages(names, version)?,
            version: format!("{version}{FLAVOUR}"),
        })
    });
    // The flavour has a number too.
    choices.max_by_key(|choice| numbers(choice.version.trim_end_matches(FLAVOUR)))
}

/// Since 6.19 the image only names two others, which hold the kernel and its modules. Backports keep some images whose modules are
/// gone: those are no choice.
fn packages(names: &[String], version: &str) -> Option<Vec<String>> {
    let of = |part: &str| format!("linux-{part}-{version}{FLAVOUR}");
    let (binary, modules) = (of("binary"), of("modules"));
    if !names.contains(&binary) {
        return Some(vec![of("image")]);
    }
    names.contains(&modules).then_some(vec![binary, modules])
}

/// A full version: `6.1` alone names a package that is never current for long, and only depends on another one.
fn belongs(version: &str, series: &str) -> bool {
    let full = version.contains(['-', '+']);
    let rest = version.strip_prefix(series);
    full && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
}

/// `6.12.115+deb13.1` as 6, 12, 115, 13, 1: in the order of Debian's kernel versions.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 16] = [
        "linux-image-5.10.0-9-cloud-amd64",
        "linux-image-5.10.0-46-cloud-amd64",
        "linux-image-5.10.0-46-cloud-amd64-dbg",
        "linux-image-5.10.0-47-cloud-amd64-unsigned",
        "linux-image-5.10.0-48-amd64",
        "linux-image-6.1-cloud-amd64",
        "linux-image-6.1.0-0.deb11.52-cloud-amd64",
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-image-6.12.115+deb13-cloud-amd64",
        "linux-image-6.12.115+deb13.1-cloud-amd64",
        "linux-image-7.1.13+deb13-cloud-amd64",
        "linux-binary-7.1.13+deb13-cloud-amd64",
        "linux-image-7.3.4+deb13-cloud-amd64",
        "linux-binary-7.3.4+deb13-cloud-amd64",
        "linux-modules-7.3.4+deb13-cloud-amd64",
        "linux-image-cloud-amd64",
    ];

    fn choose_without(gone: &str, series: &str) -> Option<(String, Vec<String>)> {
        let names = NAMES.map(str::to_owned).into_iter();
        let names: Vec<String> = names.filter(|name| name != gone).collect();
        newest(&names, series).map(|choice| (choice.version, choice.packages))
    }

    fn choose(series: &str) -> Option<(String, Vec<String>)> {
        choose_without("", series)
    }

    #[test]
    fn the_newest_is_by_number_and_of_the_signed_cloud_flavour() {
        for (series, version) in [
            ("5.10", "5.10.0-46-cloud-amd64"),
            ("5.10.0-9", "5.10.0-9-cloud-amd64"),
            ("6.1", "6.1.0-56-cloud-amd64"),
            ("6.12", "6.12.115+deb13.1-cloud-amd64"),
        ] {
            let expected = (version.to_owned(), vec![format!("linux-image-{version}")]);
            assert_eq!(choose(series), Some(expected));
        }
    }

    #[test]
    fn a_split_kernel_comes_in_two_packages() {
        let packages =
            ["binary", "modules"].map(|part| format!("linux-{part}-7.3.4+deb13-cloud-amd64"));
        assert_eq!(
            choose("7"),
            Some(("7.3.4+deb13-cloud-amd64".to_owned(), packages.to_vec()))
        );
        // Of the other one the modules are gone, and of this one then too.
        let modules = &packages[1];
        assert_eq!(choose_without(modules, "7"), None);
    }

    #[test]
    fn what_is_not_there_is_not_chosen() {
        assert_eq!(choose("6.18"), None);
        // 6.1 is not the beginning of 6.12.
        let names = ["linux-image-6.12.1-cloud-amd64".to_owned()];
        assert_eq!(newest(&names, "6.1"), None);
    }
}
