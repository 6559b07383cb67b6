//! Names of cgroups that are gone, kept for a while: the last flows of a container are read after its death.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use insight_proto::v1::Owner;

/// How long a name is kept. A flow of a dead container is reported at the next collection, and its entry leaves the
/// kernel some minutes later; a quarter of an hour covers an aggregator that is away for a while, too.
pub(super) const KEEP: Duration = Duration::from_secs(15 * 60);

/// How many names are kept: 500 bytes each make 4 MiB. A node that ends nine containers a second for a quarter of an
/// hour reaches it; then the oldest go first.
pub(super) const MAX_REMEMBERED: usize = 8192;

/// The names.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    owners: HashMap<u64, (Instant, Arc<Owner>)>,
    /// By time of death. An id that came back leaves an entry here that no longer matches `owners`.
    order: VecDeque<(Instant, u64)>,
    evicted: u64,
}

impl Remembered {
    /// Adds a cgroup that was found gone at `now`.
    pub(super) fn insert(&mut self, owner: Arc<Owner>, now: Instant) {
        let id = owner.cgroup_id;
        self.owners.insert(id, (now, owner));
        self.order.push_back((now, id));
        while self.order.len() > MAX_REMEMBERED {
            if self.drop_oldest() {
                self.evicted += 1;
            }
        }
    }

    /// Drops what is older than [`KEEP`].
    pub(super) fn expire(&mut self, now: Instant) {
        let old = |died: Instant| now.saturating_duration_since(died) > KEEP;
        while self.order.front().is_some_and(|(died, _)| old(*died)) {
            self.drop_oldest();
        }
    }

    /// Forgets an id that lives again.
    pub(super) fn remove(&mut self, id: u64) {
        self.owners.remove(&id);
    }

    pub(super) fn get(&self, id: u64) -> Option<&Arc<Owner>> {
        self.owners.get(&id).map(|(_, owner)| owner)
    }

    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &Arc<Owner>> {
        self.order.iter().filter_map(|(died, id)| {
            let (at, owner) = self.owners.get(id)?;
            (at == died).then_some(owner)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Names dropped early because there were too many.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((died, id)) = self.order.pop_front() else {
            return false;
        };
        let current = self.owners.get(&id).is_some_and(|(at, _)| *at == died);
        current && self.owners.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: u64) -> Arc<Owner> {
        Arc::new(Owner {
            cgroup_id: id,
            ..Owner::default()
        })
    }

    #[test]
    fn names_are_kept_for_a_while_and_then_dropped() {
        let mut names = Remembered::default();
        let start = Instant::now();
        names.insert(owner(1), start);
        names.expire(start + KEEP);
        assert!(names.get(1).is_some());
        names.expire(start + KEEP + Duration::from_secs(1));
        assert!(names.get(1).is_none());
        assert_eq!(names.evicted(), 0);
    }

    #[test]
    fn too_many_names_push_out_the_oldest_and_are_counted() {
        let mut names = Remembered::default();
        let now = Instant::now();
        for id in 0..MAX_REMEMBERED as u64 + 3 {
            names.insert(owner(id), now);
        }
        assert_eq!((names.len(), names.evicted()), (MAX_REMEMBERED, 3));
        assert!(names.get(2).is_none() && names.get(3).is_some());
    }

    #[test]
    fn an_id_that_died_twice_is_dropped_by_its_second_death() {
        let mut names = Remembered::default();
        let start = Instant::now();
        names.insert(owner(1), start);
        names.remove(1);
        names.insert(owner(1), start + Duration::from_secs(60));
        names.expire(start + KEEP + Duration::from_secs(1));
        assert!(names.get(1).is_some());
    }
}
