//! What is written, and what is not when something breaks.

use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::{Away, Breaking, Recording, counted, history};
use crate::history::rows::{self, HOUR, NAMES};
use crate::history::testing::realistic_pod;
use crate::history::{History, snapshot};
use crate::kubernetes::object::{ApiKind, Object};
use crate::kubernetes::testing::{node, pod};
use crate::kubernetes::{Directory, Index, Unrecorded, Watch};
use crate::model::{UnixMs, now_ms};
use crate::store::{Embedded, Memory, Scan, Store};

const START: UnixMs = 1_700_000 * 1_000_000 / HOUR * HOUR + HOUR / 2;
const MIN: i64 = 60_000;

fn names(index: &Index) -> Vec<String> {
    let pods = index.of_kind(&ApiKind::Pod);
    pods.map(|stored| stored.object.meta.name.to_string())
        .collect()
}

fn past(history: &History, from: UnixMs, to: UnixMs) -> Arc<Index> {
    let now = to + 10 * HOUR;
    history.index(from, to, now).unwrap().expect("recorded")
}

fn by_image(name: &str, image: &str) -> Object {
    crate::kubernetes::testing::with_pod(pod(name, "n1", &["10.0.0.1"]), |pod| {
        pod.containers[0].image = image.into();
    })
}

/// Pods a and b; then b with another image; a is gone; c comes.
fn some_hours(store: Arc<dyn Store>) {
    let history = history(store);
    let mut recording = Recording::begin(&history, 7, START);
    recording.put(node("n1", "a", &[]), 1, START);
    recording.put(pod("a", "n1", &[]), 2, START);
    recording.put(by_image("b", "shop:1"), 3, START);
    recording.flush(START);
    for minute in 1..=180 {
        let now = START + minute * MIN;
        match minute {
            70 => recording.put(by_image("b", "shop:2"), 4, now),
            80 => recording.gone(&pod("a", "n1", &[]), now),
            90 => recording.put(pod("c", "n2", &[]), 5, now),
            _ => {}
        }
        recording.flush(now);
    }
    recording.writer.finish(START + 180 * MIN);
    let expected = [
        ("lost", 0),
        ("failures", 0),
        ("snapshots", 4),
        ("unreadable", 0),
    ];
    assert_eq!(counted(history.stats()), expected);
}

fn has_them(history: &History) {
    let at = |minute: i64| past(history, START + (minute - 5) * MIN, START + minute * MIN);
    let image = |index: &Index| {
        let pod = index.get(&ApiKind::Pod, "shop", "b").unwrap();
        pod.object.pod().unwrap().containers[0].image.to_string()
    };
    for (minute, pods, b) in [
        (20, "a b", "shop:1"),
        (69, "a b", "shop:1"),
        (70, "a b", "shop:2"),
        (79, "a b", "shop:2"),
        (80, "b", "shop:2"),
        (95, "b c", "shop:2"),
        (179, "b c", "shop:2"),
    ] {
        let index = at(minute);
        assert_eq!(names(&index).join(" "), pods, "minute {minute}");
        assert_eq!(image(&index), b, "minute {minute}");
        assert_eq!(index.unrecorded(), [], "minute {minute}");
    }
    assert!(at(85).pod("uid-a").is_some(), "one that is gone is known");
}

#[test]
fn a_past_time_has_the_names_and_images_of_then() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    some_hours(Arc::clone(&store));
    has_them(&history(store));
}

#[test]
fn what_changed_between_two_times_is_told() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    some_hours(Arc::clone(&store));
    let history = history(store);
    let told = |from: i64, to: i64| -> Vec<String> {
        let all = history.changes(START + from * MIN, START + to * MIN);
        let all = all.unwrap().into_iter();
        all.map(|of| format!("{} {} {:?}", (of.at - START) / MIN, of.name, of.what))
            .collect()
    };
    let images = "70 b Images { from: [\"shop:1\"], to: [\"shop:2\"] }";
    assert_eq!(told(20, 85), [images, "80 a Deleted"]);
    assert_eq!(told(69, 70), [images]);
    assert!(told(70, 79).is_empty(), "after the first, up to the last");
}

#[test]
fn the_same_in_a_folder_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    some_hours(Arc::new(Embedded::open(dir.path()).unwrap()));
    has_them(&history(Arc::new(Embedded::open(dir.path()).unwrap())));
}

#[test]
fn several_that_record_the_same_write_the_same_rows() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let history = history(Arc::clone(&store));
    let rows = || -> usize {
        let hours = rows::hour_of(START)..=rows::hour_of(START + HOUR);
        let partitions = hours.flat_map(|hour| (0..rows::SHARDS).map(move |shard| (hour, shard)));
        partitions
            .map(|(hour, shard)| {
                let partition = rows::of_changes(hour, shard);
                let window = rows::window_of(hour * HOUR);
                let scan = Scan::partition(NAMES, window, partition);
                store.scan(&scan).unwrap().len()
            })
            .sum()
    };
    let mut both = [7, 8].map(|writer| Recording::begin(&history, writer, START));
    let mut told = |object: Object, version, at| {
        for recording in &mut both {
            recording.put(object.clone(), version, at);
            recording.flush(at);
        }
    };
    told(node("n1", "a", &[]), 1, START);
    assert_eq!(rows(), 0, "the first snapshot has it");
    for n in 0..20 {
        told(realistic_pod(n), 100 + n, START + MIN);
    }
    assert_eq!(rows(), 20);
    for recording in &mut both {
        recording.gone(&realistic_pod(3), START + 2 * MIN);
        recording.flush(START + 2 * MIN);
        recording.writer.finish(START + 30 * MIN);
    }
    assert_eq!(rows(), 21);
    let index = past(&history, START + 20 * MIN, START + 25 * MIN);
    assert_eq!(names(&index).len(), 19);
}

#[test]
fn a_torn_snapshot_is_never_read() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    some_hours(Arc::clone(&store));
    let history = history(Arc::clone(&store));
    let window = rows::window_of(START);
    let (from, to) = (START, START + 4 * HOUR);
    let good = snapshot::manifests(&*store, window, from, to).unwrap();
    // One that was cut short before its manifest: nobody sees it.
    let at = START + 61 * MIN;
    let made = snapshot::make(&snapshot::Image::default(), at, 9, 0).unwrap();
    let mut index = Index::default();
    (0..50).for_each(|n| index.put(realistic_pod(n), at));
    let torn = snapshot::make(&snapshot::Image::of(&index), at, 9, 0).unwrap();
    for write in torn.parts.into_iter().chain(made.parts) {
        store.put(write).unwrap();
    }
    let found = snapshot::manifests(&*store, window, from, to).unwrap();
    assert_eq!(found, good);
    has_them(&history);
    // One whose manifest promises more than there is: it is passed over.
    for found in &good[1..] {
        let mut wrong = found.clone();
        wrong.at += 1;
        let put = crate::store::Put {
            table: NAMES,
            window,
            partition: rows::of_manifests(),
            clustering: rows::pair(rows::ordered(wrong.at), wrong.writer),
            value: crate::history::form::encode(&wrong),
        };
        store.put(vec![put]).unwrap();
    }
    let again = super::world::history(store);
    has_them(&again);
    assert!(again.stats().unreadable.get() > 0);
}

#[test]
fn a_crash_between_the_parts_and_the_manifest_leaves_the_one_before() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let breaking = Arc::new(Breaking {
        store: Arc::clone(&store),
        left: AtomicU64::new(3),
    });
    let history = history(breaking);
    let mut recording = Recording::begin(&history, 7, START);
    recording.put(pod("a", "n1", &[]), 1, START);
    // Parts, manifest, then what the next minute recorded.
    recording.flush(START);
    recording.flush(START + MIN);
    assert_eq!(counted(history.stats())[2], ("snapshots", 1));
    recording.put(pod("b", "n1", &[]), 2, START + 2 * MIN);
    recording.flush(START + 2 * MIN);
    assert_eq!(history.stats().failures.get(), 1);
    assert_eq!(history.stats().lost.get(), 1);
    let again = super::world::history(store);
    let index = past(&again, START, START + 2 * MIN);
    assert_eq!(names(&index), ["a"]);
    let hole = Unrecorded {
        from: START + MIN - 1000,
        to: START + 2 * MIN,
    };
    assert_eq!(index.unrecorded(), [hole]);
}

#[test]
fn what_finds_no_room_is_counted_and_a_snapshot_stands_for_it() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let history = history(store);
    let mut recording = Recording::start(&history, Directory::default(), 7, 5);
    recording.put(node("n1", "a", &[]), 1, START);
    recording.flush(START);
    let burst = START + 30 * MIN;
    for n in 0..20 {
        recording.put(realistic_pod(n), 100 + n, burst);
    }
    assert_eq!(history.stats().lost.get(), 15);
    recording.flush(burst);
    assert_eq!(history.stats().snapshots.get(), 2);
    recording.flush(burst + 20 * MIN);
    let index = past(&history, burst - 5 * MIN, burst + 10 * MIN);
    assert_eq!(names(&index).len(), 20, "the snapshot has all of them");
    let [hole] = index.unrecorded() else {
        panic!("{:?}", index.unrecorded())
    };
    assert!(hole.to == burst && hole.from < burst, "{hole:?}");
    let later = past(&history, burst + 11 * MIN, burst + 15 * MIN);
    assert_eq!((names(&later).len(), later.unrecorded().len()), (20, 0));
}

#[test]
fn nothing_is_recorded_before_the_first_lists_are_read() {
    let history = history(Arc::new(Memory::new()));
    let now = now_ms();
    let mut recording = Recording::begin(&history, 7, now);
    let watch = |recording: &Recording, watch| {
        let directory = &recording.directory;
        directory.change(|index| index.set_watch(&ApiKind::Pod, watch));
    };
    watch(&recording, Watch::Starting);
    recording.put(pod("a", "n1", &[]), 1, now);
    recording.flush(now);
    assert_eq!(history.stats().snapshots.get(), 0);
    watch(&recording, Watch::Current);
    recording.flush(now);
    assert_eq!(history.stats().snapshots.get(), 1);
    // How the watches stood then is known, too.
    let since = Some(now);
    let why = String::from("connection refused");
    watch(&recording, Watch::Behind { since, why });
    recording.flush(now + 2_000);
    let index = past(&history, now, now_ms() + 1_000);
    let stale = crate::kubernetes::Hearing::of(&index).stale.unwrap();
    assert_eq!(stale.since, since);
}

#[test]
fn what_is_on_its_way_to_the_disk_is_not_missing() {
    let history = history(Arc::new(Memory::new()));
    let mut recording = Recording::begin(&history, 7, START);
    recording.put(pod("a", "n1", &[]), 1, START);
    recording.flush(START);
    recording.flush(START + 20 * MIN);
    let end = START + 21 * MIN;
    let at = |to, now| history.index(START + MIN, to, now).unwrap().unwrap();
    let holes = |to, now| at(to, now).unrecorded().len();
    assert_eq!(holes(end, end), 1, "a minute without a word");
    assert_eq!(holes(end - MIN / 2, end - MIN / 2), 0);
    assert_eq!(holes(end - MIN / 2, end + HOUR), 1, "it never came");
}

#[test]
fn names_are_those_of_now_only_for_what_is_near_to_now() {
    let history = Arc::new(history(Arc::new(Memory::new())));
    let mut recording = Recording::begin(&history, 7, START);
    let directory = recording.directory.clone();
    let names = crate::history::Names::new(directory.clone(), Arc::clone(&history));
    recording.put(by_image("b", "shop:1"), 1, START);
    recording.flush(START);
    let later = START + 30 * MIN;
    recording.put(by_image("b", "shop:2"), 2, later);
    recording.flush(later);
    let image = |from, to| {
        let found = names.of_at(from, to, later + MIN).unwrap();
        let index = found.read();
        let pod = index.get(&ApiKind::Pod, "shop", "b").unwrap();
        pod.object.pod().unwrap().containers[0].image.to_string()
    };
    assert_eq!(image(later - 5 * MIN, later + MIN), "shop:2");
    assert_eq!(image(later - 15 * MIN, later - 2 * MIN), "shop:1");
    // Without a history there is no other time than now.
    let only_now = crate::history::Names::from(directory);
    let found = only_now.of_at(0, START, later).unwrap();
    assert_eq!(found.read().objects().count(), 1);
}

#[test]
fn a_start_knows_what_was_there_before_and_who_has_gone() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    some_hours(Arc::clone(&store));
    let now = START + 82 * MIN;
    let history = history(store);
    let mut recording = Recording::begin(&history, 8, now);
    {
        let index = recording.directory.read();
        assert_eq!(names(&index), ["b"]);
        assert!(index.pod("uid-a").is_some(), "gone two minutes ago");
        assert!(index.version() > 0 && index.watches().next().is_none());
    }
    // What is listed again is no change.
    recording.flush(now);
    recording.put(by_image("b", "shop:2"), 4, now);
    recording.flush(now);
    assert_eq!(history.stats().written.get(), 0);
}

#[test]
fn a_large_cluster_fits_into_parts() {
    let mut index = Index::default();
    // Labels that do not compress.
    for n in 0..2_000 {
        let mut pod = realistic_pod(n);
        let noise: String = (0..600_u64)
            .map(|m| {
                format!(
                    "{:x}",
                    xxhash_rust::xxh3::xxh3_64(&(n * 1000 + m).to_be_bytes())
                )
            })
            .collect();
        pod.meta.labels = [("noise".into(), noise.as_str().into())].into();
        index.put(pod, 1);
    }
    let made = snapshot::make(&snapshot::Image::of(&index), START, 7, 0).unwrap();
    let values: Vec<usize> = made
        .parts
        .iter()
        .flatten()
        .map(|put| put.value.len())
        .collect();
    assert!(values.len() > 16, "{} parts", values.len());
    assert!(values.iter().all(|bytes| *bytes <= 512 << 10), "{values:?}");
    let store = Memory::new();
    for write in made.parts {
        store.put(write).unwrap();
    }
    store.put(vec![made.manifest]).unwrap();
    let found = snapshot::manifests(&store, rows::window_of(START), START, START).unwrap();
    let parts = snapshot::load(&store, &found[0]).unwrap();
    let objects: usize = parts.iter().map(|part| part.objects.len()).sum();
    assert_eq!(objects, 2_000);
}

#[test]
fn expired_windows_are_dropped_when_no_range_needs_them() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    some_hours(Arc::clone(&store));
    let day = Duration::from_secs(86_400);
    let history = History::new(Arc::clone(&store), day);
    let end = rows::times_of(rows::window_of(START + 180 * MIN)).1;
    let due = end + 86_400_000 + 2 * HOUR;
    let count = store.windows(NAMES).unwrap().len();
    assert!(count > 0);
    history.drop_expired(due - 1).unwrap();
    assert_eq!(
        store.windows(NAMES).unwrap(),
        [rows::window_of(START + 180 * MIN)]
    );
    history.drop_expired(due).unwrap();
    assert_eq!(store.windows(NAMES).unwrap(), [0_u64; 0]);
}

#[test]
fn a_store_that_is_away_holds_up_no_end() {
    let (came, comes) = channel();
    let (back, until) = channel();
    let until = Mutex::new(until);
    let history = history(Arc::new(Away { came, until }));
    let directory = Directory::default();
    history.begin(&directory, now_ms()).unwrap();
    let recorder = history.record(&directory).unwrap();
    directory.change(|index| index.put(node("n1", "a", &[]), now_ms()));
    comes.recv().unwrap();
    assert!(!recorder.stop(Duration::from_millis(10)));
    drop(back);

    let history = self::history(Arc::new(Memory::new()));
    let recorder = history.record(&directory).unwrap();
    assert!(
        recorder.stop(Duration::from_secs(60)),
        "nothing is in its way"
    );
}
