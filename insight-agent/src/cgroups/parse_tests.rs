//! Real paths with their answers, and paths that nobody should write.

use super::*;

const VECTORS: &str = include_str!("cgroup_paths.tsv");
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const POD1: &str = "11111111-1111-1111-1111-111111111111";
const POD2: &str = "22222222-2222-2222-2222-222222222222";

#[test]
fn every_real_path_gets_its_answer() {
    let mut lines = VECTORS.lines();
    let header = lines.next().unwrap();
    assert_eq!(
        header,
        "path\tpod_uid\tcontainer_id\truntime\tqos\tlevel\tsource"
    );
    let mut seen = 0;
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let identity = parse(columns[0]);
        let got = [
            identity.pod_uid.as_deref().unwrap_or(""),
            identity.container_id.as_deref().unwrap_or(""),
            identity.runtime.map_or("", Runtime::as_str),
            identity.qos.map_or("", Qos::as_str),
            identity.level.as_str(),
        ];
        assert_eq!(got, columns[1..6], "{line}");
        seen += 1;
    }
    assert_eq!(seen, 40);
}

#[test]
fn units_are_innermost_and_never_a_container() {
    let unit = |path: &str| parse(path).unit;
    assert_eq!(
        unit("/system.slice/nginx.service").as_deref(),
        Some("nginx.service")
    );
    assert_eq!(
        unit("/system.slice/a.service/sub").as_deref(),
        Some("a.service")
    );
    assert_eq!(
        unit("/user.slice/user-0.slice/user@0.service/app.slice/x.scope").as_deref(),
        Some("x.scope")
    );
    assert_eq!(unit("/system.slice"), None);
    assert_eq!(unit("/system.slice/home.mount"), None);
    assert_eq!(unit("/.service"), None);
    assert_eq!(unit(&format!("/docker/{A}/system.slice/a.service")), None);
    assert_eq!(
        unit(&format!("/machine.slice/libpod-conmon-{A}.scope")),
        None
    );
    assert!(parse("/system.slice/a.service").exact);
    assert!(!parse("/system.slice/a.service/sub").exact);
}

#[test]
fn what_is_in_a_pod_but_no_container_belongs_to_the_pod() {
    let identity = parse(&format!("/kubepods/burstable/pod{POD1}/helper"));
    assert_eq!(identity.level, Level::Pod);
    assert_eq!(identity.pod_uid.as_deref(), Some(POD1));
    assert!(!identity.exact);
    assert!(parse(&format!("/kubepods/burstable/pod{POD1}")).exact);
    let kubepods = parse("/kubepods.slice/kubepods-besteffort.slice");
    assert_eq!(kubepods.level, Level::Kubepods);
    assert_eq!(parse("/a/besteffort").level, Level::System);
}

#[test]
fn docker_in_a_pod_stays_with_the_kubernetes_container() {
    let identity = parse(&format!("/kubepods/burstable/pod{POD1}/{A}/docker/{B}"));
    assert_eq!(identity.container_id.as_deref(), Some(A));
    assert!(!identity.exact);
    assert!(identity.outer.is_empty());
}

#[test]
fn nested_clusters_keep_every_pair_from_inside_out() {
    let path = format!("/docker/{B}/kubepods/burstable/pod{POD1}/{A}/kubepods/pod{POD2}/{B}");
    let identity = parse(&path);
    assert_eq!(identity.pod_uid.as_deref(), Some(POD2));
    assert_eq!(identity.container_id.as_deref(), Some(B));
    // Not the outer pod's class.
    assert_eq!(identity.qos, Some(Qos::Guaranteed));
    let outer = [
        Pair {
            pod_uid: Some(POD1.to_owned()),
            container_id: Some(A.to_owned()),
        },
        Pair {
            pod_uid: None,
            container_id: Some(B.to_owned()),
        },
    ];
    assert_eq!(identity.outer, outer);
    let kind = parse(&format!("/docker/{A}/docker/{B}"));
    assert_eq!(kind.container_id.as_deref(), Some(B));
    assert_eq!(kind.outer.len(), 1);
}

#[test]
fn a_conmon_above_a_pod_is_not_the_pods() {
    let identity = parse(&format!("/libpod-conmon-{A}/kubepods/pod{POD1}"));
    assert_eq!(identity.level, Level::Pod);
}

/// A small generator, so that a failure repeats: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(bits).unwrap() % n
    }
}

#[test]
fn any_text_gets_an_answer_that_its_own_text_supports() {
    let parts = [
        "/",
        "//",
        "-",
        "pod",
        ".slice",
        ".scope",
        ":",
        "cri-containerd",
        "crio-conmon-",
        "docker",
        "kubepods",
        "burstable",
        "..",
        "\0",
        "ö",
        "💥",
        " ",
        "\n",
        "(deleted)",
        A,
        &A[..63],
        POD1,
        &POD1[..35],
        "3e61c214bc3ed9ff81e21474dd6cba17",
        ".service",
        "_",
        "libpod-",
    ];
    let mut random = Random(0x5eed);
    for _ in 0..50_000 {
        let length = random.below(14);
        let path: String = (0..length)
            .map(|_| parts[random.below(parts.len())])
            .collect();
        let identity = parse(&path);
        if let Some(id) = &identity.container_id {
            assert!(path.contains(id.as_str()), "{path:?}");
            assert!(identity.runtime.is_some(), "{path:?}");
        }
        if let Some(uid) = &identity.pod_uid {
            let plain = path.replace('_', "-");
            assert!(plain.contains(&format!("pod{uid}")), "{path:?}");
        }
        let container = identity.level == Level::Container;
        assert_eq!(container, identity.container_id.is_some(), "{path:?}");
        let root = path.bytes().all(|byte| byte == b'/');
        assert_eq!(identity.level == Level::Root, root, "{path:?}");
    }
}

#[test]
fn a_huge_path_is_read_in_linear_time() {
    let path = format!("/{}", "pod/".repeat(1_000_000));
    assert_eq!(parse(&path).level, Level::System);
    assert_eq!(parse(&"x".repeat(10_000_000)).level, Level::System);
    assert_eq!(parse("").level, Level::Root);
}
