//! The indexes of past time ranges that were made last. What is over does not change any more.

use std::sync::Arc;

use crate::kubernetes::Index;
use crate::model::UnixMs;

/// Objects of all that are kept, about 1 KiB each; the newest is kept however large it is.
const MAX_OBJECTS: usize = 200_000;
/// Indexes that are kept.
const MAX_INDEXES: usize = 32;

/// The range that an index was made for.
type Range = (UnixMs, UnixMs);

/// Indexes, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Cache {
    kept: Vec<(Range, Option<Arc<Index>>, usize)>,
}

impl Cache {
    /// The index of a range, if it was made. None in it: there is nothing to make one of.
    pub(super) fn get(&mut self, range: Range) -> Option<Option<Arc<Index>>> {
        let place = self.kept.iter().position(|(known, ..)| *known == range)?;
        let found = self.kept.remove(place);
        let index = found.1.clone();
        self.kept.push(found);
        Some(index)
    }

    /// Keeps an index, and lets go of those that were not asked for for the longest time.
    pub(super) fn put(&mut self, range: Range, index: Option<Arc<Index>>) {
        let objects = index.as_ref().map_or(0, |index| index.objects().count());
        self.kept.push((range, index, objects));
        let mut all: usize = self.kept.iter().map(|(.., objects)| objects).sum();
        while self.kept.len() > 1 && (all > MAX_OBJECTS || self.kept.len() > MAX_INDEXES) {
            let (.., objects) = self.kept.remove(0);
            all -= objects;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::testing::pod;

    #[test]
    fn what_was_asked_for_last_stays() {
        let mut cache = Cache::default();
        assert!(cache.get((0, 1)).is_none());
        for n in 0..40 {
            cache.put((n, n + 1), None);
            assert_eq!(cache.get((8, 9)).is_some(), n >= 8);
        }
        assert!(cache.get((9, 10)).is_some() && cache.get((0, 1)).is_none());
        assert_eq!(cache.kept.len(), MAX_INDEXES);
    }

    #[test]
    fn objects_are_bounded() {
        let mut index = Index::default();
        for n in 0..=MAX_OBJECTS / 2 {
            index.put(pod(&n.to_string(), "n1", &[]), 0);
        }
        let index = Arc::new(index);
        let mut cache = Cache::default();
        for n in 0..3 {
            cache.put((n, n), Some(Arc::clone(&index)));
        }
        assert_eq!(cache.kept.len(), 1);
        assert!(cache.get((2, 2)).is_some());
    }
}
