//! Clusters in which everything comes, changes and goes by chance, recorded by aggregators that are restarted. An index made for a past time range must
//! answer all that a graph of this range asks as one that was told of everything until then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::world::{Recording, history};
use crate::history::plan::LOOK_BACK;
use crate::kubernetes::index::Key;
use crate::kubernetes::object::{ApiKind, Body, Object, Owner, Pod, Text};
use crate::kubernetes::testing::{
    labels, listening, node, of, owner, pod, service, slice, with_pod, workload,
};
use crate::kubernetes::{Index, Unrecorded};
use crate::model::{Protocol, UnixMs};
use crate::store::Memory;

const START: UnixMs = 1_700_000_000_000;
const MIN: i64 = 60_000;
/// Histories, and ranges asked of each.
const HISTORIES: u64 = 40;
const RANGES: u64 = 60;

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn between(&mut self, from: UnixMs, to: UnixMs) -> UnixMs {
        from + i64::try_from(self.below(u64::try_from(to - from + 1).unwrap())).unwrap()
    }
}

/// What an aggregator's index was told.
#[derive(Clone)]
enum Told {
    Put(Box<Object>, u64),
    Gone(Box<Object>),
    /// All that there is, after a time without news.
    List(Vec<(Object, u64)>),
}

fn tell(index: &mut Index, told: &Told, at: UnixMs) {
    match told {
        Told::Put(object, version) => index.put_version((**object).clone(), *version, at),
        Told::Gone(object) => {
            let meta = &object.meta;
            index.gone(&meta.kind, &meta.namespace, &meta.name, &meta.uid, at);
        }
        Told::List(all) => {
            for kind in ApiKind::NAMED {
                index.list_started(&kind);
            }
            for (object, version) in all {
                index.put_version(object.clone(), *version, at);
            }
            for kind in ApiKind::NAMED {
                index.list_ended(&kind, at);
            }
        }
    }
}

/// A cluster and what its aggregator was told of it.
struct Sim {
    chance: Chance,
    now: UnixMs,
    version: u64,
    truth: BTreeMap<(ApiKind, Text), (Object, u64)>,
    told: Vec<(UnixMs, Told)>,
    holes: Vec<Unrecorded>,
}

impl Sim {
    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// What happens next.
    fn event(&mut self) -> Told {
        let version = self.next();
        let number = self.chance.below(6);
        let mut object = match self.chance.below(10) {
            0 => self.node(number % 3),
            1 => self.service(number % 2),
            2 | 3 => self.slice(number % 2),
            4 => self.workload(number % 2),
            _ => self.pod(number, version),
        };
        let key = (object.meta.kind.clone(), Text::clone(&object.meta.name));
        if object.pod().is_none() {
            // No UID comes back.
            let new = || Text::from(format!("uid-{}-{version}", key.1));
            let known = self.truth.get(&key);
            object.meta.uid = known.map_or_else(new, |(known, _)| Text::clone(&known.meta.uid));
        }
        let is_gone = self.chance.below(3) == 0;
        // Of two with one address the deletion of the older one is told late: it goes first.
        let key = match self.older_with_its_address(&key) {
            Some(older) if is_gone => older,
            _ => key,
        };
        match self.truth.remove(&key) {
            Some((known, _)) if is_gone => Told::Gone(Box::new(known)),
            _ => {
                self.truth.insert(key, (object.clone(), version));
                Told::Put(Box::new(object), version)
            }
        }
    }

    fn older_with_its_address(&self, key: &(ApiKind, Text)) -> Option<(ApiKind, Text)> {
        let (known, _) = self.truth.get(key)?;
        let pod = known.pod()?;
        let mut others = self.truth.iter();
        let older = others.find(|(_, (other, _))| {
            let is_same = |other: &Pod| other.addresses == pod.addresses;
            other.pod().is_some_and(is_same) && other.meta.created < known.meta.created
        });
        older.map(|(key, _)| key.clone())
    }

    fn node(&mut self, n: u64) -> Object {
        let zone = ["a", "b"][usize::try_from(self.chance.below(2)).unwrap()];
        node(&format!("n{n}"), zone, &[&format!("192.0.2.{n}")])
    }

    fn service(&mut self, n: u64) -> Object {
        let address = format!("10.96.0.{}", 1 + self.chance.below(3));
        let port = u16::try_from(80 + self.chance.below(2)).unwrap();
        service(&format!("svc{n}"), &[&address], port, 8080)
    }

    fn slice(&mut self, n: u64) -> Object {
        let pods = self
            .truth
            .values()
            .filter(|(object, _)| object.pod().is_some());
        let uids: Vec<String> = pods
            .map(|(object, _)| object.meta.uid.to_string())
            .collect();
        let mut of_some = Vec::new();
        for uid in &uids {
            if self.chance.below(2) == 0 {
                of_some.push(uid.strip_prefix("uid-").unwrap_or(uid));
            }
        }
        slice(&format!("svc{n}"), 8080, &of_some)
    }

    fn workload(&mut self, n: u64) -> Object {
        let mut set = of(
            workload(ApiKind::ReplicaSet, &format!("set{n}")),
            owner(ApiKind::Deployment, &format!("app{}", self.chance.below(2))),
        );
        set.meta.labels = labels(&[&format!("rollout={}", self.chance.below(3))]);
        set
    }

    /// A pod that is new, or as it is but for something.
    fn pod(&mut self, n: u64, version: u64) -> Object {
        let name = format!("pod{n}");
        let key = (ApiKind::Pod, Text::from(name.as_str()));
        let known = self.truth.get(&key).map(|(object, _)| object.clone());
        let (image, label) = (self.chance.below(4), self.chance.below(3));
        let host = format!("n{}", self.chance.below(3));
        let address = format!("10.0.0.{}", self.chance.below(8));
        let (back, end) = (self.chance.below(5_000), self.chance.below(6));
        let now = self.now;
        let mut set = owner(ApiKind::ReplicaSet, &format!("set{}", n % 2));
        if let Some((known, _)) = self.truth.get(&(set.kind.clone(), Text::clone(&set.name))) {
            set.uid = Text::clone(&known.meta.uid);
        }
        // Every third one is a successor under the same name.
        let stays = image != 0 || self.older_with_its_address(&key).is_some();
        let base = known.filter(|_| stays).unwrap_or_else(|| {
            let mut new = pod(&name, &host, &[&address]);
            new.meta.uid = format!("uid-{name}-{version}").into();
            new.meta.created = now - i64::try_from(back).unwrap();
            let new = of(new, set);
            let started = Some(now - i64::try_from(back / 2).unwrap());
            listening(with_pod(new, |pod| pod.started = started), 8080)
        });
        let mut object = with_pod(base, |pod| {
            let container = &mut pod.containers[0];
            container.image = format!("shop:{image}").into();
            if end == 1 {
                container.last_id = container.id.clone();
                container.id = format!("containerd://c{version}").into();
            }
            if end == 0 {
                pod.ended = Some(now);
            }
        });
        object.meta.labels = labels(&[&format!("app={label}")]);
        object
    }
}

/// A history, and what was told of it.
fn recorded(seed: u64) -> (Sim, crate::history::History) {
    let history = history(Arc::new(Memory::new()));
    let mut sim = Sim {
        chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        now: START,
        version: 0,
        truth: BTreeMap::new(),
        told: Vec::new(),
        holes: Vec::new(),
    };
    let mut recording = Recording::begin(&history, seed, START);
    let first = Told::Put(Box::new(node("n0", "a", &[])), 0);
    recording
        .directory
        .change(|index| tell(index, &first, START));
    recording.flush(START);
    sim.truth
        .insert((ApiKind::Node, "n0".into()), (node("n0", "a", &[]), 0));
    sim.told.push((START, first));
    for step in 0..300 {
        sim.now += 1 + i64::try_from(sim.chance.below(4) * sim.chance.below(60_000)).unwrap();
        if sim.chance.below(60) == 0 {
            // The aggregator goes, and comes back after some changes.
            recording.flush(sim.now);
            recording.writer.finish(sim.now);
            let from = sim.now;
            for _ in 0..sim.chance.below(6) {
                sim.now += 1 + i64::try_from(sim.chance.below(60_000)).unwrap();
                sim.event();
            }
            sim.now += 1;
            let list = Told::List(sim.truth.values().cloned().collect());
            recording = Recording::begin(&history, seed ^ (1_000 + step), sim.now);
            recording
                .directory
                .change(|index| tell(index, &list, sim.now));
            recording.flush(sim.now);
            sim.told.push((sim.now, list));
            sim.holes.push(Unrecorded { from, to: sim.now });
            continue;
        }
        let told = sim.event();
        recording
            .directory
            .change(|index| tell(index, &told, sim.now));
        recording.flush(sim.now);
        sim.told.push((sim.now, told));
    }
    recording.writer.finish(sim.now);
    (sim, history)
}

/// Who was there in a range, and can be asked for.
#[derive(Default)]
struct Seen {
    /// UIDs of pods, with the ids of their containers.
    pods: BTreeSet<(Text, String)>,
    /// Services by name, with the UIDs of pods behind them.
    behind: BTreeSet<(Text, Text)>,
}

impl Seen {
    fn in_range(told: &[(UnixMs, Told)], from: UnixMs, to: UnixMs) -> Self {
        let (mut index, mut seen) = (Index::default(), Self::default());
        let mut began = false;
        for (at, told) in told.iter().take_while(|(at, _)| *at <= to) {
            if !began && *at > from {
                began = true;
                seen.add(&index);
            }
            tell(&mut index, told, *at);
            if began {
                seen.add(&index);
            }
        }
        seen.add(&index);
        seen
    }

    fn add(&mut self, index: &Index) {
        for stored in index.objects() {
            let uid = &stored.object.meta.uid;
            match &stored.object.body {
                Body::Pod(pod) => {
                    let ids = pod
                        .containers
                        .iter()
                        .map(|container| container.id.to_string());
                    self.pods.extend(ids.map(|id| (Text::clone(uid), id)));
                }
                Body::EndpointSlice(slice) => {
                    let targets = slice.backends.iter().filter_map(|of| of.target.as_ref());
                    let pair = |of: &Owner| (Text::clone(&slice.service), Text::clone(&of.uid));
                    self.behind.extend(targets.map(pair));
                }
                _ => {}
            }
        }
    }
}

fn service_key(n: u64) -> Key {
    ("shop".into(), format!("svc{n}").into())
}

/// All that a graph of a range asks of an index, in lines.
fn answers(index: &Index, seen: &Seen, from: UnixMs, to: UnixMs, seed: u64) -> Vec<String> {
    let mut chance = Chance(seed | 1);
    let mut lines: Vec<String> = index
        .objects()
        .map(|stored| format!("{stored:?}"))
        .collect();
    // Which listing it was in is nothing that is asked for.
    for line in &mut lines {
        line.truncate(line.find(", listing").unwrap_or(line.len()));
    }
    for (uid, id) in &seen.pods {
        let person = index.pod(uid);
        let workload = person.map(|person| index.workload(person));
        let bare = id.trim_start_matches("containerd://");
        let name = person.and_then(|person| index.container_name(person, bare));
        lines.push(format!("{uid} {id}: {person:?} {workload:?} {name:?}"));
    }
    let pools = (0..8).map(|n| format!("10.0.0.{n}"));
    let pools = pools.chain((1..4).map(|n| format!("10.96.0.{n}")));
    let pools = pools.chain((0..3).map(|n| format!("192.0.2.{n}")));
    let addresses: Vec<IpAddr> = pools.map(|text| text.parse().unwrap()).collect();
    for _ in 0..8 {
        let a = chance.between(from, to);
        let b = chance.between(a, to);
        for address in &addresses {
            let holders = index.holders(*address, a, b);
            let found: BTreeSet<String> = holders.map(|holder| format!("{holder:?}")).collect();
            lines.push(format!("{address} {a} {b}: {found:?}"));
        }
    }
    for n in 0..2 {
        let key = service_key(n);
        let is_port = index.is_backend_port(&key, 8080, Protocol::Tcp);
        for port in [80, 81] {
            let found = index.service(&key, port, Protocol::Tcp);
            let ports = found.and_then(|found| found.port);
            let behind = ports.map(|port| index.backend_ports(&key, port));
            lines.push(format!("svc{n}: {ports:?} {is_port} {behind:?}"));
        }
    }
    lines
}

/// When addresses of pods changed hands. A Service that gets back an address, or a name, is taken for the same holder by an index that remembers it.
fn hands(index: &Index, from: UnixMs, to: UnixMs) -> BTreeMap<IpAddr, Vec<UnixMs>> {
    let changes = index.changes_of_addresses(from, to).into_iter();
    changes
        .filter(|(address, _)| address.to_string().starts_with("10.0."))
        .collect()
}

fn behind(index: &Index, from: UnixMs, to: UnixMs) -> BTreeSet<(Text, Text)> {
    let services = (0..2).map(service_key);
    services
        .flat_map(|key| {
            let pods = index.backends(&key, from, to).cloned();
            pods.map(|uid| (Text::clone(&key.1), uid))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn assert_same(found: &[String], expected: &[String], case: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{case}");
    }
    assert_eq!(found.len(), expected.len(), "{case}");
}

#[test]
fn a_past_index_answers_as_one_that_was_there() {
    let (mut ranges, mut with_holes, mut hands_changed, mut backends) = (0, 0, 0, 0);
    for seed in 1..=HISTORIES {
        let (mut sim, history) = recorded(seed);
        for number in 0..RANGES {
            let from = sim.chance.between(START + LOOK_BACK, sim.now - MIN);
            let length = i64::try_from(sim.chance.below(90) * 60_000).unwrap();
            let to = (from + length).min(sim.now);
            let case = format!("seed {seed}, {from} to {to}");
            let found = history
                .index(from, to, sim.now + 86_400_000)
                .unwrap()
                .unwrap();
            let holes = sim
                .holes
                .iter()
                .filter(|hole| hole.to > from && hole.from < to);
            let holes: Vec<Unrecorded> = holes
                .map(|hole| Unrecorded {
                    from: hole.from.max(from),
                    to: hole.to.min(to),
                })
                .collect();
            assert_eq!(found.unrecorded(), holes, "{case}");
            with_holes += u32::from(!holes.is_empty());
            if sim.holes.iter().any(|hole| hole.from < to && to < hole.to) {
                // What is known later is added: nobody could have been told of that.
                continue;
            }
            let mut expected = Index::default();
            for (at, told) in sim.told.iter().take_while(|(at, _)| *at <= to) {
                tell(&mut expected, told, *at);
            }
            let late = Seen::in_range(&sim.told, from - LOOK_BACK, to);
            let of = |index| answers(index, &late, from, to, seed * 1_000 + number);
            assert_same(&of(&found), &of(&expected), &case);
            assert_eq!(
                hands(&found, from, to),
                hands(&expected, from, to),
                "{case}"
            );
            // A pod that comes back to a Service was there all the time for an index that remembers it.
            let (known, most) = (behind(&found, from, to), behind(&expected, from, to));
            let least = Seen::in_range(&sim.told, from, to).behind;
            assert!(known.is_subset(&most), "{case}: {known:?} {most:?}");
            let missing: Vec<_> = least.difference(&known).collect();
            assert!(missing.is_empty(), "{case}: {missing:?} of {known:?}");
            hands_changed += hands(&expected, from, to).len();
            backends += least.len();
            ranges += 1;
        }
    }
    println!(
        "{ranges} ranges, {with_holes} with holes, {hands_changed} addresses that changed hands, {backends} backends"
    );
    assert!(ranges > 2_000 && with_holes > 100 && hands_changed > 1_000 && backends > 1_000);
}
