//! What holds for every cgroup path, and for every text of the kernel's about cgroups and mounts.

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;

use super::flat::{millicores, pick};
use super::mount::{Mount, Mounts};
use super::parse::{Level, parse};
use super::proc_file::{self, Line, Verdict};
use super::token::{Qos, Runtime};
use super::{process, v2};
use crate::trying::holds;

/// A pod's uid as Kubernetes writes it, or a static pod's hash.
fn uid() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-f]{32}",
    ]
}

fn id() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

fn qos() -> impl Strategy<Value = Qos> {
    select(vec![Qos::Guaranteed, Qos::Burstable, Qos::Besteffort])
}

fn runtime() -> impl Strategy<Value = (&'static str, Runtime)> {
    select(vec![
        ("cri-containerd-", Runtime::Containerd),
        ("crio-", Runtime::CriO),
        ("docker-", Runtime::Docker),
        ("libpod-", Runtime::Podman),
        ("nerdctl-", Runtime::Nerdctl),
        ("", Runtime::Unknown),
    ])
}

/// A segment that is none of ours, whatever else it may look like.
fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[a-z]{1,8}\\.(service|slice|scope)",
        "[^/\\n]{1,12}",
        // Nearly a pod or a container: too short, too long, upper case, another word in front.
        "pod[0-9a-f]{31}",
        "pod[0-9A-F]{32}G",
        "tripod[0-9a-f]{32}",
        "pods-[0-9a-f-]{36}",
        "docker-[0-9a-f]{63}",
        "(docker|crio|rkt)-[0-9a-f]{65}\\.scope",
        "[0-9A-F]{63}F",
        "cri-containerd:[0-9a-f]{60}",
    ]
    .prop_filter("no segment that says where it is", |segment| {
        !matches!(segment.as_str(), "." | "..")
    })
}

/// As the kubelet names a pod's directories with the cgroupfs driver.
fn by_cgroupfs(qos: Qos, uid: &str) -> String {
    match qos {
        Qos::Burstable | Qos::Besteffort => format!("/kubepods/{}/pod{uid}", qos.as_str()),
        _ => format!("/kubepods/pod{uid}"),
    }
}

/// The same with the systemd driver, where a slice's name holds those of its parents.
fn by_systemd(qos: Qos, uid: &str) -> String {
    let uid = uid.replace('-', "_");
    match qos {
        Qos::Burstable | Qos::Besteffort => {
            let class = qos.as_str();
            format!("/kubepods.slice/kubepods-{class}.slice/kubepods-{class}-pod{uid}.slice")
        }
        _ => format!("/kubepods.slice/kubepods-pod{uid}.slice"),
    }
}

fn joined(segments: &[String]) -> String {
    segments
        .iter()
        .map(|segment| format!("/{segment}"))
        .collect()
}

/// Where a test's own pods are put: below nothing, or below whatever is no pod and no container.
fn above() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z]{1,6}(\\.slice|\\.service)?", 0..3)
}

#[test]
fn a_path_that_was_made_for_a_pods_container_names_it() {
    let inputs = (
        above(),
        (qos(), uid(), any::<bool>()),
        (runtime(), id(), any::<bool>()),
        proptest::collection::vec(plain(), 0..3),
    );
    holds(&inputs, |(above, pod, container, below)| {
        let (qos, uid, is_systemd) = pod;
        let ((prefix, runtime), id, is_scope) = container;
        let pod_path = if is_systemd {
            by_systemd(qos, &uid)
        } else {
            by_cgroupfs(qos, &uid)
        };
        let pod_path = joined(&above) + &pod_path;
        let scope = if is_scope { ".scope" } else { "" };
        let path = format!("{pod_path}/{prefix}{id}{scope}{}", joined(&below));
        let identity = parse(&path);
        prop_assert_eq!(identity.level, Level::Container);
        prop_assert_eq!(identity.pod_uid.as_ref(), Some(&uid));
        prop_assert_eq!(identity.container_id.as_ref(), Some(&id));
        prop_assert_eq!(identity.runtime, Some(runtime));
        prop_assert_eq!(identity.qos, Some(qos));
        prop_assert_eq!(identity.exact, below.is_empty());
        prop_assert!(identity.outer.is_empty() && identity.unit.is_none());

        let pod = parse(&pod_path);
        prop_assert_eq!((pod.level, pod.exact), (Level::Pod, true));
        prop_assert_eq!((pod.pod_uid, pod.qos), (Some(uid), Some(qos)));
        prop_assert_eq!(pod.container_id, None);
        Ok(())
    });
}

/// The innermost pod's, and the pods around it in their order.
#[test]
fn pods_within_pods_are_told_from_inside_out() {
    let pods = proptest::collection::vec((qos(), uid(), id(), any::<bool>()), 1..4);
    holds(&pods, |pods| {
        let path: String = pods
            .iter()
            .map(|(qos, uid, id, is_systemd)| {
                let pod = if *is_systemd { by_systemd } else { by_cgroupfs };
                format!("{}/{id}", pod(*qos, uid))
            })
            .collect();
        let identity = parse(&path);
        let told = |uid: &Option<String>, id: &Option<String>| {
            (
                uid.clone().unwrap_or_default(),
                id.clone().unwrap_or_default(),
            )
        };
        let mut found = vec![told(&identity.pod_uid, &identity.container_id)];
        found.extend(
            identity
                .outer
                .iter()
                .map(|pair| told(&pair.pod_uid, &pair.container_id)),
        );
        let made: Vec<_> = pods
            .iter()
            .rev()
            .map(|(_, uid, id, _)| (uid.clone(), id.clone()))
            .collect();
        prop_assert_eq!(found, made);
        Ok(())
    });
}

/// A name is never made up: a pod's uid and a container's id stand in the path as they are told, the container's not above its pod's.
#[test]
fn an_unknown_form_is_never_somebody() {
    let odd = prop_oneof![
        4 => plain(),
        1 => uid().prop_map(|uid| format!("pod{uid}")),
        1 => uid().prop_map(|uid| format!("kubepods-pod{}.slice", uid.replace('-', "_"))),
        1 => id(),
        1 => id().prop_map(|id| format!("libpod-{id}.scope")),
        1 => id().prop_map(|id| format!("crio-conmon-{id}.scope")),
        1 => id().prop_map(|id| format!("machine.slice:cri-containerd:{id}")),
    ];
    let segments = proptest::collection::vec(odd, 0..7);
    holds(&segments, |segments| {
        let path = joined(&segments);
        let identity = parse(&path);
        let place = |name: &str, after: &[&str]| {
            let spelled = path.replace('_', "-");
            spelled.rmatch_indices(name).map(|(at, _)| at).find(|at| {
                let head = &spelled[..*at];
                after.iter().any(|before| head.ends_with(before))
            })
        };
        let pod = identity
            .pod_uid
            .as_ref()
            .map(|uid| place(uid, &["/pod", "-pod"]));
        let container = identity.container_id.as_ref().map(|id| {
            place(
                id,
                &[
                    "/",
                    "cri-containerd-",
                    "crio-",
                    "docker-",
                    "libpod-",
                    "nerdctl-",
                    "cri-containerd:",
                    "crio:",
                    "docker:",
                ],
            )
        });
        prop_assert!(
            pod != Some(None) && container != Some(None),
            "{:?}",
            identity
        );
        if let (Some(pod), Some(container)) = (pod, container) {
            prop_assert!(container > pod, "{:?}", identity);
        }
        prop_assert_eq!(identity.level == Level::Container, container.is_some());
        prop_assert_eq!(identity.runtime.is_some(), container.is_some());
        if pod.is_some() || container.is_some() {
            prop_assert!(identity.unit.is_none());
        }
        if let Some(unit) = &identity.unit {
            prop_assert!(segments.contains(unit));
        }
        // Slashes too many say nothing.
        prop_assert_eq!(parse(&format!("/{}//", path.replace('/', "//"))), identity);
        Ok(())
    });
}

#[test]
fn nothing_near_a_pod_is_one() {
    holds(&proptest::collection::vec(plain(), 0..6), |segments| {
        let identity = parse(&joined(&segments));
        prop_assert_eq!((identity.pod_uid, identity.container_id), (None, None));
        let expected = [Level::Root, Level::System, Level::Kubepods];
        prop_assert!(expected.contains(&identity.level), "{:?}", identity.level);
        Ok(())
    });
}

fn lines() -> impl Strategy<Value = Vec<(String, String)>> {
    let controllers = prop_oneof![
        Just(String::new()),
        "[a-z]{2,6}(,[a-z]{2,6})?",
        "name=[a-z]{3,8}",
    ];
    // A path may hold colons, and end with a word that the kernel adds, too.
    let path = proptest::collection::vec("[a-z:.]{1,6}", 0..4).prop_map(|segments| {
        let path = joined(&segments);
        if path.is_empty() {
            "/".to_owned()
        } else {
            path
        }
    });
    proptest::collection::vec((controllers, path), 0..8)
}

#[test]
fn the_lines_of_a_process_come_back() {
    holds(&(lines(), any::<u8>()), |(made, dying)| {
        let text: String = made
            .iter()
            .enumerate()
            .map(|(number, (controllers, path))| {
                let gone = if dying.leading_zeros() as usize == number {
                    " (deleted)"
                } else {
                    ""
                };
                format!("{number}:{controllers}:{path}{gone}\n")
            })
            .collect();
        let found: Vec<_> = proc_file::lines(&text).collect();
        let expected: Vec<_> = made
            .iter()
            .map(|(controllers, path)| Line { controllers, path })
            .collect();
        prop_assert_eq!(found, expected);
        Ok(())
    });
}

/// Whatever else a process shows, one pod's container is named, and two are not.
#[test]
fn a_process_is_never_given_to_one_of_two() {
    let inputs = (lines(), uid(), id(), id(), any::<prop::sample::Index>());
    holds(&inputs, |(others, uid, one, other, at)| {
        prop_assume!(one != other);
        let mut lines: Vec<String> = others
            .iter()
            .map(|(controllers, path)| format!("3:{controllers}:{path}"))
            .collect();
        let mut insert = |id: &str| {
            let place = at.index(lines.len() + 1);
            lines.insert(place, format!("4:pids:/kubepods/pod{uid}/{id}"));
            lines.join("\n")
        };
        match proc_file::decide(&insert(&one)) {
            Verdict::Named(_, identity) => {
                prop_assert_eq!(identity.pod_uid.as_ref(), Some(&uid));
                prop_assert_eq!(identity.container_id.as_ref(), Some(&one));
            }
            verdict => prop_assert!(false, "{:?}", verdict),
        }
        let both = insert(&other);
        let verdict = proc_file::decide(&both);
        prop_assert!(matches!(verdict, Verdict::Ambiguous(..)), "{:?}", verdict);
        Ok(())
    });
}

/// As the kernel writes a path into mountinfo (`mangle` in fs/seq_file.c).
fn escaped(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", u32::from(c)),
            other => other.to_string(),
        })
        .collect()
}

#[test]
fn mounts_come_back_from_among_others() {
    let point = "/[ -~äß\\t\\n]{0,20}";
    let cgroup = (
        point,
        point,
        prop_oneof![
            Just(Vec::new()),
            Just(vec!["name=systemd".to_owned()]),
            proptest::collection::vec("[a-z]{4,9}", 1..3),
        ],
    );
    let other = prop_oneof![
        "[ -~]{0,60}".prop_filter("nothing of cgroups", |line| !line.contains(" - cgroup")),
        point.prop_map(|point| {
            format!("30 1 0:1 / {} rw - tmpfs cgroup2 rw,cpu", escaped(&point))
        }),
    ];
    let line = prop_oneof![cgroup.prop_map(Ok), other.prop_map(Err)];
    holds(&proptest::collection::vec(line, 0..8), |lines| {
        let mut text = String::new();
        let (mut v1, mut v2): (Vec<Mount>, Vec<Mount>) = (vec![], vec![]);
        for line in lines {
            let (root, point, controllers) = match line {
                Ok(mount) => mount,
                Err(other) => {
                    text += &format!("{other}\n");
                    continue;
                }
            };
            let filesystem = if controllers.is_empty() {
                "cgroup2 none rw,nsdelegate".to_owned()
            } else {
                format!("cgroup cgroup rw,xattr,{}", controllers.join(","))
            };
            text += &format!(
                "36 35 0:31 {} {} rw,nosuid shared:9 master:2 - {filesystem}\n",
                escaped(&root),
                escaped(&point)
            );
            let list = if controllers.is_empty() {
                &mut v2
            } else {
                &mut v1
            };
            let point = PathBuf::from(point);
            list.retain(|earlier| earlier.point != point);
            list.push(Mount {
                point,
                root,
                controllers,
            });
        }
        let mut found = Mounts::parse(&text);
        prop_assert_eq!(found.v1, v1);
        // The best comes first; which that is is not the question here.
        for list in [&mut found.v2, &mut v2] {
            list.sort_by(|a, b| a.point.cmp(&b.point));
        }
        prop_assert_eq!(found.v2, v2);
        Ok(())
    });
}

#[path = "file_properties.rs"]
mod files;
