//! What Insight does not have. Each test reads the tracked files alone, and lists every place that breaks its promise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// This file, which has to name what nobody else may.
const OWN: &str = "tests/tests/absences.rs";

/// A dependency that is named in one place only.
struct Confined {
    /// Its names in code
    names: &'static [&'static str],
    /// The one crate that depends on it
    krate: &'static str,
    /// The one folder, or module, that names it
    place: &'static str,
}

const CONFINED: [Confined; 4] = [
    Confined {
        names: &["aya", "aya_obj"],
        krate: "insight-agent",
        place: "insight-agent/src/kernel/",
    },
    Confined {
        names: &["aya_ebpf", "aya_ebpf_bindings"],
        krate: "insight-ebpf",
        place: "insight-ebpf/src/",
    },
    Confined {
        names: &["kube", "k8s_openapi"],
        krate: "insight-aggregator",
        place: "insight-aggregator/src/kubernetes/",
    },
    Confined {
        names: &["scylla"],
        krate: "insight-aggregator",
        place: "insight-aggregator/src/store/cassandra/",
    },
];

/// The top level, apart from dotfiles.
const TOP_LEVEL: [&str; 19] = [
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "charts",
    "clippy.toml",
    "deny.toml",
    "insight-agent",
    "insight-aggregator",
    "insight-ebpf",
    "proto",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "xtask",
];

/// A longer file holds more than one idea.
const LONGEST_FILE: usize = 450;
/// Half of the files are shorter than this.
const MEDIAN_FILE: usize = 150;

#[test]
fn agent_and_aggregator_do_not_depend_on_each_other() {
    let needs = dependencies();
    for (one, other) in [
        ("insight-agent", "insight-aggregator"),
        ("insight-aggregator", "insight-agent"),
    ] {
        let reached = reach(&needs, one);
        assert!(
            reached.contains("insight-proto"),
            "{one} speaks the wire format"
        );
        assert!(!reached.contains(other), "{one} depends on {other}");
    }
}

#[test]
fn only_the_agent_depends_on_the_kernel_side() {
    let needs = dependencies();
    let users: Vec<&str> = needs
        .iter()
        .filter(|(_, list)| list.contains("insight-ebpf"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(users, ["insight-agent"]);
}

#[test]
fn a_confined_dependency_belongs_to_one_crate() {
    let mut found = Vec::new();
    for (krate, list) in dependencies() {
        for confined in &CONFINED {
            for name in confined.names {
                if list.contains(&name.replace('_', "-")) && krate != confined.krate {
                    found.push(format!("{krate} depends on {name}"));
                }
            }
        }
    }
    none(&found, "only one crate may depend on it");
}

#[test]
fn a_confined_dependency_is_named_in_one_place() {
    let mut found = Vec::new();
    let mut uses = 0;
    for (path, text) in sources() {
        for confined in &CONFINED {
            for (number, line) in lines(&text) {
                if confined.names.iter().any(|name| names_crate(line, name)) {
                    uses += 1;
                    // A module may be one file or a folder.
                    let file = confined.place.trim_end_matches('/').to_owned() + ".rs";
                    if !path.starts_with(confined.place) && path != file {
                        let place = confined.place;
                        found.push(format!("{path}:{number}: belongs into {place}: {line}"));
                    }
                }
            }
        }
    }
    none(&found, "named outside its module");
    assert!(uses > 0, "the search found not even aya's use in the agent");
}

/// The unit tier never becomes root: a test in it that wants root would only ever be skipped.
#[test]
fn no_unit_test_needs_root() {
    let mut found = Vec::new();
    let mut uses = 0;
    for (path, text) in sources() {
        for (number, line) in lines(&text) {
            if line.contains("needs_root!(") {
                uses += 1;
                if !path.starts_with("tests/tests/") {
                    found.push(format!("{path}:{number}: {line}"));
                }
            }
        }
    }
    none(&found, "it belongs into tests/tests");
    assert!(uses > 0, "the search found not even the host tier's uses");
}

#[test]
fn no_test_is_ignored() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in lines(&text) {
            if line.contains("#[ignore") || (line.contains("cfg_attr") && line.contains("ignore")) {
                found.push(format!("{path}:{number}: {line}"));
            }
        }
    }
    none(
        &found,
        "a test that cannot run says so through INSIGHT_SKIP_FILE",
    );
}

#[test]
fn nothing_knows_a_machine_or_a_mirror() {
    let machine = folders_of_this_machine();
    let mirrors = [
        "index.crates.io",
        "static.crates.io",
        "proxy.golang.org",
        "deb.debian.org",
        "registry.npmjs.org",
        "pypi.org",
        "repo1.maven.org",
        "replace-with",
        "[registries",
    ];
    let mut found = Vec::new();
    for path in tracked()
        .into_iter()
        .filter(|path| path != "Cargo.lock" && path != OWN)
    {
        for (number, line) in text(&path).lines().enumerate() {
            let own_path = machine.iter().any(|folder| is_absolute_path(line, folder));
            if own_path || mirrors.iter().any(|mirror| line.contains(mirror)) {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    none(&found, "a path of one machine, or a registry's host");
}

/// Cluster Insight talked to the API server without asking who that is. A kubeconfig may say so for itself; no code does.
#[test]
fn nobody_is_trusted_without_a_certificate() {
    let means = [
        "accept_invalid_certs = true",
        "accept_invalid_certs: true",
        "danger_accept_invalid",
        ".dangerous()",
    ];
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in lines(&text) {
            if means.iter().any(|means| line.contains(means)) {
                found.push(format!("{path}:{number}: {line}"));
            }
        }
    }
    none(&found, "certificates that nobody verifies");
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let paths = tracked();
    let names: BTreeSet<&str> = paths
        .iter()
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected = BTreeSet::from(TOP_LEVEL);
    let extra: Vec<_> = names.difference(&expected).collect();
    let missing: Vec<_> = expected.difference(&names).collect();
    assert!(
        extra.is_empty() && missing.is_empty(),
        "at the top level, unexpected: {extra:?}; missing: {missing:?}"
    );
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> = sources()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .collect();
    lengths.sort();
    let median = lengths[lengths.len() / 2].0;
    assert!(median < MEDIAN_FILE, "the median file has {median} lines");
    let long: Vec<String> = lengths
        .iter()
        .filter(|(length, _)| *length > LONGEST_FILE)
        .map(|(length, path)| format!("{path}: {length} lines"))
        .collect();
    none(&long, "one idea for each file");
}

#[test]
fn the_map_shows_every_room() {
    let map = text("ARCHITECTURE.md");
    let rooms: BTreeSet<String> = sources()
        .iter()
        .filter_map(|(path, _)| {
            let (_, inside) = path.split_once("/src/")?;
            let (room, _) = inside.split_once('/')?;
            (room != "bin").then(|| format!("{room}/"))
        })
        .collect();
    let missing: Vec<String> = rooms
        .into_iter()
        .filter(|room| !begins_a_word(&map, room))
        .collect();
    none(&missing, "rooms that ARCHITECTURE.md does not show");
}

#[test]
fn the_map_shows_nothing_that_is_not_there() {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let mut gone = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        for word in text(document).split(|c| !is_path(c)) {
            let word = word.trim_end_matches(['.', '/']);
            let first = word.split('/').next().unwrap_or_default();
            let inside = word.contains('/') && TOP_LEVEL.contains(&first);
            if inside && !root().join(word).exists() {
                gone.push(format!("{document}: {word}"));
            }
        }
    }
    none(&gone, "documents name files that do not exist");
}

/// Fails with the list when there is one.
fn none(found: &[String], meaning: &str) {
    assert!(found.is_empty(), "{meaning}:\n  {}", found.join("\n  "));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A tracked file; one that is not text is empty here.
fn text(path: &str) -> String {
    let bytes =
        std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"));
    String::from_utf8(bytes).unwrap_or_default()
}

/// All files that git tracks or would track; without git, all that are not build output.
fn tracked() -> Vec<String> {
    let git = Command::new("git")
        .arg("-C")
        .arg(root())
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output();
    let mut files = Vec::new();
    match git {
        Ok(output) if output.status.success() => {
            let list = String::from_utf8(output.stdout).expect("file names are UTF-8");
            // A file that is deleted but not yet committed is still listed.
            let there = list.split('\0').filter(|path| root().join(path).is_file());
            files.extend(there.map(str::to_owned));
        }
        _ => walk(&root(), "", &mut files),
    }
    files.sort();
    assert!(
        files.iter().any(|file| file == OWN),
        "the search finds not even itself"
    );
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("read a source folder") {
        let entry = entry.expect("read a source folder");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_file() {
            files.push(path);
        } else if path != ".git" && path != "target" {
            walk(&entry.path(), &format!("{path}/"), files);
        }
    }
}

/// The Rust files that people write, this one excepted, with their text.
fn sources() -> Vec<(String, String)> {
    let written = |path: &String| path.ends_with(".rs") && !path.contains("/gen/") && path != OWN;
    tracked()
        .into_iter()
        .filter(written)
        .map(|path| (path.clone(), text(&path)))
        .collect()
}

/// Lines with their numbers and without their comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = line.split(" //").next().unwrap_or_default().trim();
        (!code.starts_with("//") && !code.is_empty()).then_some((index + 1, code))
    })
}

/// Whether a line of code names a crate: in a path, or to import it.
fn names_crate(line: &str, name: &str) -> bool {
    begins_a_word(line, &format!("{name}::"))
        || begins_a_word(line, &format!("use {name};"))
        || begins_a_word(line, &format!("use {name} as"))
        || begins_a_word(line, &format!("extern crate {name}"))
}

/// Whether the text contains the part, and not as the end of a longer word.
fn begins_a_word(text: &str, part: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(part)
        .any(|(at, _)| !text[..at].ends_with(in_word))
}

/// Where this checkout lies and who builds it, each with a slash at its end; not what every machine has.
fn folders_of_this_machine() -> Vec<String> {
    let checkout = root().canonicalize().expect("the checkout is there");
    let home = std::env::var_os("HOME").map(PathBuf::from);
    [checkout.parent().map(Path::to_owned), Some(checkout), home]
        .into_iter()
        .flatten()
        .filter(|folder| folder.parent().is_some() && *folder != std::env::temp_dir())
        .map(|folder| format!("{}/", folder.display()))
        .collect()
}

/// Whether the folder is the beginning of a path, not its middle as `/lib/` is in `/var/lib/insight`.
fn is_absolute_path(text: &str, folder: &str) -> bool {
    let in_path = |c: char| c.is_alphanumeric() || "_-.}*)>".contains(c);
    text.match_indices(folder)
        .any(|(at, _)| !text[..at].ends_with(in_path))
}

/// Every crate of the workspace with the names of what it depends on directly, whatever for.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("run 'cargo metadata'");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("read 'cargo metadata'");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let needs = packages.iter().map(|package| {
        let list = package["dependencies"].as_array().expect("dependencies");
        (name(package), list.iter().map(name).collect())
    });
    needs.collect()
}

/// All that a crate depends on within the workspace, at any distance, and its outside dependencies on the way.
fn reach(needs: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        for need in needs.get(&name).into_iter().flatten() {
            if found.insert(need.clone()) {
                next.push(need.clone());
            }
        }
    }
    found
}
