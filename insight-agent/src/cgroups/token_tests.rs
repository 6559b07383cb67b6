//! What is a token and what only looks like one.

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn containers_need_a_known_prefix_and_64_digits() {
    assert_eq!(container(ID), Some((ID, None)));
    assert_eq!(
        container(&format!("nerdctl-{ID}.scope")),
        Some((ID, Some(Runtime::Nerdctl)))
    );
    assert_eq!(container(&format!("foo-{ID}.scope")), None);
    assert_eq!(container(&format!("docker-{ID}.mount")), None);
    assert_eq!(container(&ID[1..]), None);
    assert_eq!(container(&ID.to_uppercase()), None);
    assert_eq!(container(&format!("crio-conmon-{ID}.scope")), None);
    assert!(is_conmon(&format!("crio-conmon-{ID}.scope")));
    assert!(is_conmon(&format!("libpod-conmon-{ID}")));
    assert!(!is_conmon("libpod-conmon"));
}

#[test]
fn pods_start_a_segment_or_follow_a_dash() {
    let uid = "dde1244b_5bb5_4297-b544_85f3bc0d80bf";
    assert_eq!(pod(&format!("pod{uid}")), Some((uid, "")));
    assert_eq!(pod(&format!("a-b-pod{uid}.slice")), Some((uid, "a-b-")));
    assert_eq!(pod(&format!("tripod{uid}")), None);
    assert_eq!(pod(&format!("pod{uid}0")), None);
    assert_eq!(
        pod("pod3e61c214bc3ed9ff81e21474dd6cba17").map(|p| p.1),
        Some("")
    );
    assert_eq!(pod("pod3e61c214bc3ed9ff81e21474dd6cba1"), None);
    assert_eq!(pod("pödde1244b_5bb5_4297_b544_85f3bc0d80bf"), None);
}

#[test]
fn a_class_needs_kubepods_or_stands_alone() {
    assert_eq!(class("besteffort"), Some(Class::Named(Qos::Besteffort)));
    assert_eq!(
        class("kubelet-kubepods-burstable.slice"),
        Some(Class::Named(Qos::Burstable))
    );
    assert_eq!(class("kubelet-kubepods.slice"), Some(Class::Kubepods));
    assert_eq!(class("my-burstable.slice"), None);
    assert_eq!(class("mykubepods"), None);
}
