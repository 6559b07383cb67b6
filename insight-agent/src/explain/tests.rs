//! What people ask, and what they get.

use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../cgroups/cgroup_paths.tsv");

fn ask(what: &[&str], json: bool, mounts: &Mounts) -> (String, anyhow::Result<()>) {
    let what: Vec<String> = what.iter().map(|&w| w.to_owned()).collect();
    let mut out = Vec::new();
    let result = explain_with(&what, json, mounts, &mut out);
    (String::from_utf8(out).unwrap(), result)
}

#[test]
fn json_of_real_paths() {
    let rows: Vec<Vec<&str>> = VECTORS
        .lines()
        .skip(1)
        .map(|l| l.split('\t').collect())
        .collect();
    let paths: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let (out, result) = ask(&paths, true, &Mounts::default());
    result.unwrap();
    let lines: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 40);
    for (row, json) in rows.iter().zip(&lines) {
        for (key, expected) in ["path", "pod_uid", "container_id", "runtime", "qos", "level"]
            .iter()
            .zip(row)
        {
            let expected = if expected.is_empty() {
                Value::Null
            } else {
                Value::from(*expected)
            };
            assert_eq!(json[key], expected, "{key} of {}", row[0]);
        }
        assert_eq!(json.as_object().unwrap().len(), 7);
    }
}

#[test]
fn text_says_why() {
    let pod = "/kubepods/burstable/pod095e82d2-713c-467a-a18a-cbb50a075296";
    let (out, result) = ask(
        &[pod, "/system.slice/a.service/x"],
        false,
        &Mounts::default(),
    );
    result.unwrap();
    let expected = "\
/kubepods/burstable/pod095e82d2-713c-467a-a18a-cbb50a075296
  level        pod
  pod uid      095e82d2-713c-467a-a18a-cbb50a075296
  qos          burstable
  why:
  - `pod095e82d2-713c-467a-a18a-cbb50a075296` is the innermost pod
  - the path names the QoS class burstable
  - no segment below the pod is a container

/system.slice/a.service/x
  level        system
  unit         a.service
  why:
  - no pod and no container; `a.service` is the innermost systemd unit
  - it lies inside of what it is named after
";
    assert_eq!(out, expected);
}

#[test]
fn a_process_is_named_by_its_cgroup_file() {
    let pid = std::process::id().to_string();
    let (out, result) = ask(&[&pid], true, &Mounts::default());
    result.unwrap();
    let json: Value = serde_json::from_str(&out).unwrap();
    let file = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(
        file.contains(json["path"].as_str().unwrap()),
        "{out} {file}"
    );
}

#[test]
fn a_process_that_is_not_there_is_an_error_and_the_others_are_answered() {
    let (out, result) = ask(
        &["4194305", "/", "zebra", "99999999999"],
        true,
        &Mounts::default(),
    );
    assert_eq!(out.lines().count(), 1);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("4194305: there is no process"), "{error}");
    assert!(error.contains("zebra: this is neither"), "{error}");
    assert!(error.contains("99999999999: this is neither"), "{error}");
}

#[test]
fn a_process_with_two_containers_is_nobodys() {
    let text = format!(
        "2:cpu:/docker/{}\n0::/docker/{}\n",
        "a".repeat(64),
        "b".repeat(64)
    );
    let error = lookup::of_cgroup_text(&text).unwrap_err().to_string();
    assert!(
        error.starts_with("ambiguous") && error.contains("cgroup v2"),
        "{error}"
    );
    let text = "1:name=systemd:/a.service\n0::/\n";
    let answer = lookup::of_cgroup_text(text).unwrap();
    assert_eq!(answer.path, "/a.service");
    assert!(answer.found[1].contains("where its flows are counted"));
}

fn host() -> (tempfile::TempDir, Mounts) {
    let host = tempfile::tempdir().unwrap();
    let (one, two) = (
        format!("{}1{}", "a".repeat(12), "0".repeat(51)),
        format!("{}2{}", "a".repeat(12), "0".repeat(51)),
    );
    for path in [
        format!("v2/docker/{one}/inside"),
        format!("v2/docker/{two}"),
        format!("v1/docker/{}", "c".repeat(64)),
    ] {
        std::fs::create_dir_all(host.path().join(path)).unwrap();
    }
    let root = host.path().display();
    let mounts = Mounts::parse(&format!(
        "1 0 0:1 / {root}/v2 rw - cgroup2 none rw\n2 0 0:2 / {root}/v1 rw - cgroup none rw,memory\n"
    ));
    (host, mounts)
}

#[test]
fn a_container_is_found_by_the_digits_that_docker_shows() {
    let (_host, mounts) = host();
    let prefix = format!("{}1", "A".repeat(12));
    let (out, result) = ask(&[&prefix, &"c".repeat(12)], true, &mounts);
    result.unwrap();
    let paths: Vec<String> = out
        .lines()
        .map(|l| {
            serde_json::from_str::<Value>(l).unwrap()["path"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        paths[0].starts_with("/docker/aaaa") && !paths[0].contains("inside"),
        "{paths:?}"
    );
    assert!(paths[1].starts_with("/docker/cccc"), "{paths:?}");
    let (_, several) = ask(&[&"a".repeat(12)], true, &mounts);
    assert!(
        several
            .unwrap_err()
            .to_string()
            .contains("give more digits")
    );
    let (_, none) = ask(&[&"d".repeat(12)], true, &mounts);
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("no cgroup on this host")
    );
}

#[test]
fn a_path_may_begin_with_the_mount() {
    let (host, mounts) = host();
    let path = format!("{}/v2/system.slice/a.service", host.path().display());
    let (out, result) = ask(&[&path], true, &mounts);
    result.unwrap();
    assert!(
        out.starts_with("{\"path\":\"/system.slice/a.service\",\"level\":\"system\""),
        "{out}"
    );
}
