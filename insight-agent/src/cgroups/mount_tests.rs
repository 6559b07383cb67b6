//! Hybrid hosts, pods and odd lines.

use super::*;

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 master:2 - cgroup2 cgroup2 rw,nsdelegate
";

#[test]
fn hybrid_hosts() {
    let mounts = Mounts::parse(HYBRID);
    let v2 = Path::new("/sys/fs/cgroup/unified");
    assert_eq!(mounts.default_v2().unwrap(), v2);
    let v1 = mounts.v1_beside(v2);
    assert_eq!(
        v1.cpu.as_deref(),
        Some(Path::new("/sys/fs/cgroup/cpu,cpuacct"))
    );
    assert_eq!(v1.cpuacct, v1.cpu);
    assert_eq!(
        v1.memory.as_deref(),
        Some(Path::new("/sys/fs/cgroup/memory"))
    );
    assert_eq!(mounts.v1[2].controllers, ["name=systemd"]);
    assert_eq!(mounts.v2_of(&v2.join("a/b")), Some(v2));
    assert_eq!(mounts.v2_of(Path::new("/sys/fs/cgroup/unified2")), None);
}

#[test]
fn in_a_pod_the_hosts_tree_is_preferred() {
    let mounts = Mounts::parse(
        "1 0 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
         2 0 0:1 /../../.. /host/sys/fs/cgroup/unified ro - cgroup2 cgroup rw\n\
         3 0 0:2 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
         4 0 0:2 /../.. /host/sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
    );
    let v2 = mounts.default_v2().unwrap();
    assert_eq!(v2, Path::new("/host/sys/fs/cgroup/unified"));
    let memory = mounts.v1_beside(v2).memory;
    assert_eq!(
        memory.as_deref(),
        Some(Path::new("/host/sys/fs/cgroup/memory"))
    );
}

#[test]
fn a_whole_tree_is_preferred_to_a_part_and_a_cover_to_what_it_covers() {
    let mounts = Mounts::parse(
        "1 0 0:1 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
         2 0 0:1 / /mnt/with\\040space ro - cgroup2 cgroup rw\n\
         3 0 0:1 / /mnt/with\\040space rw - cgroup2 cgroup rw\n",
    );
    assert_eq!(mounts.v2.len(), 2);
    assert_eq!(mounts.default_v2().unwrap(), Path::new("/mnt/with space"));
}

#[test]
fn no_v2_says_what_to_do() {
    let error = Mounts::parse("garbage\n - \n1 2 - cgroup2\n")
        .default_v2()
        .unwrap_err();
    assert!(error.to_string().contains("mount -t cgroup2"), "{error}");
}

#[test]
fn escapes() {
    assert_eq!(unescape("a\\134b\\"), "a\\b\\");
    assert_eq!(unescape("\\04"), "\\04");
    assert_eq!(unescape("\\ö"), "\\ö");
}

#[test]
fn a_name_that_is_not_utf_8_hides_no_other_mount() {
    let mountinfo = b"30 1 8:1 / /media/caf\xe9 rw - vfat /dev/sdb1 rw\n\
        31 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let mounts = Mounts::of(mountinfo);
    assert_eq!(mounts.default_v2().unwrap(), Path::new("/sys/fs/cgroup"));
}
