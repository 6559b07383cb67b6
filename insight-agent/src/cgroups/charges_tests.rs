use super::super::stats::Stats;
use super::*;
use crate::cgroups::mount::V1;

const POD: &str = "/kubepods/burstable/pod11111111-2222-3333-4444-555555555555";

fn container(digit: char) -> String {
    format!("{POD}/{}", String::from(digit).repeat(64))
}

fn totals(waited: u64, runs: u64, oom_kills: u64) -> CgroupTotals {
    CgroupTotals {
        waited,
        runs,
        oom_kills,
    }
}

/// Cgroups of which nobody has a directory: a walk finds them gone.
fn tree(mount: &tempfile::TempDir) -> Tree {
    let mount = mount.path().to_owned();
    let mut tree = Tree::new(mount.clone(), mount);
    tree.born(1, POD);
    tree.born(2, &container('a'));
    tree.born(3, &container('b'));
    tree
}

fn counting() -> Charges {
    Charges {
        waits: true,
        kills: true,
        ..Charges::default()
    }
}

fn sample(tree: &Tree, id: u64, oom_kills: Option<u64>) -> Sample {
    Sample {
        owner: tree.find(id).unwrap().clone(),
        metrics: MetricSample {
            cgroup_id: id,
            cpu_usage_ns: Some(5),
            oom_kills,
            ..MetricSample::default()
        },
    }
}

/// Delay, runs and kills of a cgroup's sample.
fn shown(samples: &[Sample], id: u64) -> (Option<u64>, Option<u64>, Option<u64>) {
    let sample = samples.iter().find(|sample| sample.metrics.cgroup_id == id);
    let metrics = &sample.unwrap().metrics;
    (metrics.run_delay_ns, metrics.runs, metrics.oom_kills)
}

#[test]
fn what_is_below_is_part_of_it() {
    let mount = tempfile::tempdir().unwrap();
    let tree = tree(&mount);
    let mut charges = counting();
    let reading = [(2, totals(100, 3, 0)), (3, totals(40, 1, 2))];
    assert!(charges.take(&reading, &tree).is_empty());
    let mut samples: Vec<Sample> = [1, 2, 3].map(|id| sample(&tree, id, None)).into();
    charges.complete(&mut samples, &[], &tree);
    assert_eq!(shown(&samples, 1), (Some(140), Some(4), Some(2)));
    assert_eq!(shown(&samples, 2), (Some(100), Some(3), Some(0)));
    assert_eq!(shown(&samples, 3), (Some(40), Some(1), Some(2)));
    // A reading is a sum, not an addition.
    charges.take(&[(2, totals(110, 4, 0)), (3, totals(40, 1, 2))], &tree);
    charges.complete(&mut samples, &[], &tree);
    assert_eq!(shown(&samples, 1), (Some(150), Some(5), Some(2)));
    assert_eq!(samples.len(), 3);
}

#[test]
fn a_cgroup_that_is_gone_has_a_last_word_and_its_pod_keeps_what_it_had() {
    let mount = tempfile::tempdir().unwrap();
    let mut tree = tree(&mount);
    let mut charges = counting();
    charges.take(&[(2, totals(100, 3, 0))], &tree);
    let mut before = vec![sample(&tree, 2, Some(0))];
    charges.complete(&mut before, &[], &tree);
    tree.refresh().unwrap();
    tree.born(1, POD);
    let reading = [
        (2, totals(120, 4, 1)),
        // Nobody had read it before.
        (3, totals(7, 1, 0)),
        // And nobody knows this one.
        (9, totals(1, 1, 1)),
    ];
    assert!(charges.take(&reading, &tree).is_empty());
    let mut samples = vec![sample(&tree, 1, None)];
    charges.complete(&mut samples, &before, &tree);
    assert_eq!(shown(&samples, 1), (Some(127), Some(5), Some(1)));
    assert_eq!(shown(&samples, 2), (Some(120), Some(4), Some(1)));
    assert_eq!(shown(&samples, 3), (Some(7), Some(1), Some(0)));
    assert_eq!(samples.len(), 3);
    let of_two = samples.iter().find(|sample| sample.metrics.cgroup_id == 2);
    assert_eq!(of_two.unwrap().metrics.cpu_usage_ns, Some(5));

    // The kernel may forget them once they stand still, and starts from 0 if it has to remember them again.
    let mut forgotten = charges.take(&reading, &tree);
    forgotten.sort_unstable();
    assert_eq!(forgotten, [2, 3, 9]);
    let mut samples = vec![sample(&tree, 1, None)];
    charges.complete(&mut samples, &before, &tree);
    assert_eq!(samples.len(), 1, "once is enough");
    charges.take(&[(2, totals(5, 1, 0))], &tree);
    charges.complete(&mut samples, &before, &tree);
    assert_eq!(shown(&samples, 1), (Some(132), Some(6), Some(1)));
}

#[test]
fn nothing_is_kept_of_what_has_no_name_any_more() {
    let mount = tempfile::tempdir().unwrap();
    let mut charges = counting();
    charges.take(&[(2, totals(100, 3, 0))], &tree(&mount));
    let empty = Tree::new(mount.path().to_owned(), mount.path().to_owned());
    charges.take(&[], &empty);
    assert!(charges.charges.is_empty());
}

#[test]
fn a_kill_is_counted_once_whoever_tells() {
    let kills = |charge: &mut Charge, charged, file| {
        charge.totals.oom_kills = charged;
        charge.kills(file)
    };
    // Only the program knows.
    let mut charge = Charge::default();
    assert_eq!(kills(&mut charge, 0, None), 0);
    assert_eq!(kills(&mut charge, 2, None), 2);
    // The file knows some from before, and then the cgroup is gone with one more.
    let mut charge = Charge::default();
    assert_eq!(kills(&mut charge, 0, Some(5)), 5);
    assert_eq!(kills(&mut charge, 1, Some(6)), 6);
    assert_eq!(kills(&mut charge, 2, None), 7);
    // The file was read after a kill that the map did not have yet.
    let mut charge = Charge::default();
    assert_eq!(kills(&mut charge, 0, Some(0)), 0);
    assert_eq!(kills(&mut charge, 0, Some(1)), 1);
    assert_eq!(kills(&mut charge, 1, None), 1);
    // The same at the first reading, and then both stand still.
    let mut charge = Charge::default();
    assert_eq!(kills(&mut charge, 0, Some(1)), 1);
    assert_eq!(kills(&mut charge, 1, Some(1)), 1);
    assert_eq!(kills(&mut charge, 1, Some(1)), 1);
    assert_eq!(kills(&mut charge, 2, None), 2);
}

#[test]
fn what_is_not_counted_is_absent() {
    let mount = tempfile::tempdir().unwrap();
    let tree = tree(&mount);
    let mut samples = vec![sample(&tree, 2, None)];
    Charges::default().complete(&mut samples, &[], &tree);
    assert_eq!(shown(&samples, 2), (None, None, None));
    let mut kills_only = Charges {
        kills: true,
        ..Charges::default()
    };
    kills_only.complete(&mut samples, &[], &tree);
    assert_eq!(shown(&samples, 2), (None, None, Some(0)));
}

#[test]
fn a_walk_that_finds_them_gives_them_samples_of_their_own() {
    let mount = tempfile::tempdir().unwrap();
    let directory = mount.path().join(container('c').trim_start_matches('/'));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("cpu.stat"), "usage_usec 5\n").unwrap();
    let mut tree = Tree::new(mount.path().to_owned(), mount.path().to_owned());
    let mut stats = Stats::new(mount.path().to_owned(), V1::default());
    let mut samples = stats.sample(&mut tree).unwrap();
    let id = samples[0].owner.cgroup_id;
    let mut charges = counting();
    charges.take(&[(id, totals(9, 2, 0))], &tree);
    charges.complete(&mut samples, &[], &tree);
    assert_eq!(samples.len(), 1);
    assert_eq!(shown(&samples, id), (Some(9), Some(2), Some(0)));
}

#[test]
fn paths_above() {
    let above: Vec<&str> = ancestors("/a/b/c").collect();
    assert_eq!(above, ["/a/b", "/a"]);
    assert_eq!(ancestors("/").count() + ancestors("").count(), 0);
}
