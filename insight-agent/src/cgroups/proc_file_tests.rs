//! Whole files from real hosts, and what the rules make of them.

use super::*;

const OUTER: &str = "9352d9dd4e21b3f3ba3d4ab5ce5a4c0a2b7d6a1d5a1b9a2e1b5d9f7ab8e4c226";
const INNER: &str = "09bc3d7ade839efec32b6bec4ec79d099027a668ddba043083ec21d3c3b8f1e6";
const KIND: &str = "40c03570b6f4c30bc8d69923d37ee698f5cfcced92c7b7df1c47f6f7887378a9";

fn named(text: &str) -> Identity {
    match decide(text) {
        Verdict::Named(_, identity) => *identity,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_with_a_pod_beats_one_without() {
    let identity = named(&format!(
        "1:cpuset:/docker/{OUTER}/kubepods/besteffort/poda2830d0d-b0f0-4ff0-81b5-0ee4e299cf80/{INNER}\n\
         0::/docker/{OUTER}/system.slice/containerd.service\n"
    ));
    assert_eq!(
        identity.pod_uid.as_deref(),
        Some("a2830d0d-b0f0-4ff0-81b5-0ee4e299cf80")
    );
    assert_eq!(identity.container_id.as_deref(), Some(INNER));
}

#[test]
fn eleven_docker_lines_do_not_outvote_the_pod() {
    let mut text = "12:rdma:/\n".to_owned();
    for n in 1..=11 {
        text += &format!("{n}:c{n}:/docker/{OUTER}\n");
    }
    text += &format!(
        "0::/docker/{INNER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
         kubelet-kubepods-besteffort-pod44c76ce5_f953_4bd3_bc89_12621681af49.slice/cri-containerd-{KIND}.scope\n"
    );
    assert_eq!(named(&text).container_id.as_deref(), Some(KIND));
}

#[test]
fn two_pods_or_two_containers_are_ambiguous() {
    let pods = format!(
        "2:cpu:/kubepods/pod11111111-1111-1111-1111-111111111111/{INNER}\n\
         1:memory:/kubepods/pod22222222-2222-2222-2222-222222222222/{INNER}\n"
    );
    assert!(matches!(decide(&pods), Verdict::Ambiguous(..)));
    let containers = format!("2:cpu:/docker/{INNER}\n1:memory:/docker/{OUTER}\n");
    assert!(matches!(decide(&containers), Verdict::Ambiguous(..)));
}

#[test]
fn the_roots_line_is_skipped() {
    let identity = named(&format!(
        "1:name=systemd:/\n0::/system.slice/docker-{KIND}.scope\n"
    ));
    assert_eq!(identity.container_id.as_deref(), Some(KIND));
    let unit = named("11:perf_event:/\n10:devices:/system.slice/docker.service\n");
    assert_eq!(
        (unit.level, unit.unit.as_deref()),
        (Level::System, Some("docker.service"))
    );
    assert_eq!(decide("0::/\n"), Verdict::None);
}

#[test]
fn a_path_above_the_readers_namespace_names_the_container_only() {
    let identity = named(&format!("0::/../{KIND}\n"));
    assert_eq!(
        (identity.pod_uid, identity.container_id.as_deref()),
        (None, Some(KIND))
    );
}

#[test]
fn v2_names_what_has_no_container() {
    let text = "4:memory:/batch\n1:name=systemd:/a.service\n0::/b.service\n";
    assert_eq!(named(text).unit.as_deref(), Some("b.service"));
    // In v2's root, a plain v1 directory is not where flows are counted; a unit is still worth its name.
    assert_eq!(decide("4:memory:/batch\n0::/\n"), Verdict::None);
    let systemd = "4:memory:/batch\n1:name=systemd:/a.service\n0::/\n";
    assert_eq!(named(systemd).unit.as_deref(), Some("a.service"));
    assert_eq!(named("4:memory:/batch\n").level, Level::System);
}

#[test]
fn odd_lines_are_skipped() {
    assert_eq!(decide(""), Verdict::None);
    assert_eq!(
        decide("garbage\n1:x\n::\n0::relative\n\0:\0:\0"),
        Verdict::None
    );
    let deleted = format!("0::/docker/{KIND} (deleted)\n");
    assert_eq!(named(&deleted).container_id.as_deref(), Some(KIND));
    let colons = format!("0::/a.slice:docker:{KIND}\n");
    assert_eq!(named(&colons).container_id.as_deref(), Some(KIND));
}

#[test]
fn of_lines_that_agree_the_v2_line_is_named() {
    let text = format!("4:memory:/docker/{KIND}\n0::/docker/{KIND}\n1:cpu:/docker/{KIND}\n");
    match decide(&text) {
        Verdict::Named(line, _) => assert!(line.is_v2()),
        other => panic!("{other:?}"),
    }
}
