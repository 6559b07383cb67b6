//! On plain directories: their inode numbers stand for cgroup ids.

use std::os::unix::fs::MetadataExt;

use super::*;

const POD: &str = "kubepods/burstable/pod11111111-2222-3333-4444-555555555555";

struct Fixture {
    mount: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let mount = tempfile::tempdir().unwrap();
        Self { mount }
    }

    fn make(&self, path: &str) -> u64 {
        let path = self.mount.path().join(path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::metadata(path).unwrap().ino()
    }

    fn tree(&self, root: &str) -> Tree {
        let mount = self.mount.path().to_owned();
        Tree::new(directory(&mount, root), mount)
    }
}

fn later(tree: &Tree) -> Instant {
    tree.next_walk.unwrap()
}

#[test]
fn owners_have_their_path_below_the_mount() {
    let fixture = Fixture::new();
    let id = "a".repeat(64);
    let container = fixture.make(&format!("{POD}/{id}"));
    let mut tree = fixture.tree("/");
    let owner = tree.owner(container);
    assert_eq!(owner.path, format!("/{POD}/{id}"));
    assert_eq!(
        (owner.level.as_str(), owner.container_id),
        ("container", id)
    );
    let root = std::fs::metadata(fixture.mount.path()).unwrap().ino();
    let root = tree.owner(root);
    assert_eq!((root.level.as_str(), root.path.as_str()), ("root", "/"));
    // All of it from one walk.
    assert_eq!(tree.stats().walks, 1);
}

#[test]
fn a_part_of_the_tree_leaves_out_the_rest() {
    let fixture = Fixture::new();
    let (inside, outside) = (fixture.make("a/b"), fixture.make("c"));
    let mut tree = fixture.tree("/a");
    assert_eq!(tree.owner(inside).path, "/a/b");
    assert_eq!(tree.owner(outside).path, "");
    assert_eq!(tree.stats().known, 2);
}

#[test]
fn a_new_cgroup_is_found_at_the_next_walk_and_not_sooner() {
    let fixture = Fixture::new();
    fixture.make("a");
    let mut tree = fixture.tree("/");
    tree.refresh().unwrap();
    let new = fixture.make("system.slice/a.service");
    let due = later(&tree);
    let before = due - Duration::from_millis(1);
    assert_eq!(tree.name_due_at(new, before), Some(due));
    let soon = tree.owner_at(new, before);
    assert_eq!((soon.path.as_str(), soon.level.as_str()), ("", "cgroup"));
    assert_eq!(tree.name_due_at(new, due), None, "it is due");
    let owner = tree.owner_at(new, due);
    assert_eq!(tree.name_due_at(new, before), None, "it is known");
    assert_eq!(
        (owner.unit.as_str(), owner.level.as_str()),
        ("a.service", "unit")
    );
    assert_eq!((tree.stats().walks, tree.stats().unnamed), (2, 1));
}

#[test]
fn an_id_that_a_walk_did_not_find_costs_no_second_walk() {
    let fixture = Fixture::new();
    let mut tree = fixture.tree("/");
    for _ in 0..3 {
        let now = tree.next_walk.unwrap_or_else(Instant::now);
        assert_eq!(tree.owner_at(u64::MAX, now).path, "");
    }
    assert_eq!(tree.stats().walks, 1);
    let now = tree.next_walk.unwrap() - Duration::from_millis(1);
    assert_eq!(tree.name_due_at(u64::MAX, now), None);
    assert_eq!(tree.name_due_at(0, now), None);
    assert!(tree.name_due_at(u64::MAX - 1, now).is_some());
    assert_eq!(tree.owner_at(0, later(&tree)).cgroup_id, 0);
    assert_eq!((tree.stats().walks, tree.stats().unnamed), (1, 4));
}

#[test]
fn the_list_of_absent_ids_is_bounded() {
    let fixture = Fixture::new();
    let mut tree = fixture.tree("/");
    tree.absent
        .extend((0..MAX_ABSENT as u64).map(|n| u64::MAX - n));
    tree.owner(u64::MAX - MAX_ABSENT as u64);
    assert_eq!(tree.absent.len(), 1);
}

#[test]
fn a_dead_containers_last_flows_still_have_its_name() {
    let fixture = Fixture::new();
    let id = fixture.make("system.slice/a.service");
    let mut tree = fixture.tree("/");
    tree.refresh().unwrap();
    std::fs::remove_dir(fixture.mount.path().join("system.slice/a.service")).unwrap();
    tree.refresh().unwrap();
    assert_eq!(tree.entries().count(), 2);
    assert_eq!(tree.owner(id).unit, "a.service");
    assert_eq!(tree.stats().remembered, 1);
}

#[test]
fn a_root_that_vanishes_is_an_error_and_names_stay() {
    let fixture = Fixture::new();
    let id = fixture.make("a");
    let mut tree = fixture.tree("/a");
    tree.refresh().unwrap();
    std::fs::remove_dir(fixture.mount.path().join("a")).unwrap();
    assert!(tree.refresh().is_err());
    assert_eq!(tree.owner(id).path, "/a");
}

#[test]
fn plain_cgroups_are_named_by_a_process_once_there_is_one() {
    let fixture = Fixture::new();
    let (plain, unit) = (fixture.make("batch"), fixture.make("a.service"));
    let mut tree = fixture.tree("/");
    assert_eq!(tree.owner(plain).process, "");
    for name in ["batch", "a.service"] {
        let procs = fixture.mount.path().join(name).join("cgroup.procs");
        std::fs::write(procs, format!("{}\n", std::process::id())).unwrap();
    }
    // Asked once between two walks.
    assert_eq!(tree.owner(plain).process, "");
    tree.refresh().unwrap();
    assert_ne!(tree.owner(plain).process, "");
    assert_eq!(tree.owner(unit).process, "");
    std::fs::remove_file(fixture.mount.path().join("batch/cgroup.procs")).unwrap();
    tree.refresh().unwrap();
    assert_ne!(tree.owner(plain).process, "");
}

#[test]
fn many_new_cgroups_cost_one_walk() {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(fixture.make(&format!("kubepods/pod{n:08}-2222-3333-4444-555555555555")));
    }
    let mut tree = fixture.tree("/");
    for id in ids {
        assert_eq!(tree.owner(id).level, "pod");
    }
    assert_eq!((tree.stats().walks, tree.stats().known), (1, 302));
}

#[test]
fn a_cgroup_seen_at_its_birth_has_its_name_although_no_walk_met_it() {
    let fixture = Fixture::new();
    fixture.make("a");
    let mut tree = fixture.tree("/a");
    tree.refresh().unwrap();
    let container = "b".repeat(64);
    tree.born(77, &format!("/a/{POD}/{container}"));
    tree.born(78, "/ab");
    assert_eq!(tree.owner(77).container_id, container);
    // Gone by now, and remembered.
    tree.refresh().unwrap();
    let stats = tree.stats();
    assert_eq!((stats.born, stats.remembered), (1, 1));
    assert_eq!(tree.owner(77).container_id, container);
    assert_eq!(tree.owner(78).path, "", "outside");
}
