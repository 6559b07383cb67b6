//! Many rows.

use std::sync::Arc;

use super::{RowKey, Sum};

/// Rows, each key once, in no order. A list, because nobody looks for one row of a window: a map of two million would take twice the memory.
#[derive(Clone, Debug, Default)]
pub struct Rows(Vec<(Arc<RowKey>, Sum)>);

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, always in the same order.
    pub fn iter(&self) -> impl Iterator<Item = (&RowKey, &Sum)> {
        self.0.iter().map(|(key, sum)| (&**key, sum))
    }

    /// Their keys.
    pub fn keys(&self) -> impl Iterator<Item = &RowKey> {
        self.0.iter().map(|(key, _)| &**key)
    }
}

impl<K: Into<Arc<RowKey>>> FromIterator<(K, Sum)> for Rows {
    fn from_iter<T: IntoIterator<Item = (K, Sum)>>(rows: T) -> Self {
        let rows = rows.into_iter().map(|(key, sum)| (key.into(), sum));
        Self(rows.collect())
    }
}

#[cfg(test)]
mod for_tests {
    use std::collections::HashMap;

    use super::*;

    impl Rows {
        /// Adds one whose key is not there yet.
        pub(crate) fn insert(&mut self, key: RowKey, sum: Sum) {
            assert!(self.keys().all(|known| *known != key), "{key:?} twice");
            self.0.push((key.into(), sum));
        }

        pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&RowKey, &mut Sum)> {
            self.0.iter_mut().map(|(key, sum)| (&**key, sum))
        }

        pub(crate) fn get_mut(&mut self, key: &RowKey) -> Option<&mut Sum> {
            let mut rows = self.iter_mut();
            rows.find(|(known, _)| *known == key).map(|(_, sum)| sum)
        }

        pub(crate) fn into_pairs(self) -> impl Iterator<Item = (RowKey, Sum)> {
            let rows = self.0.into_iter();
            rows.map(|(key, sum)| (Arc::unwrap_or_clone(key), sum))
        }
    }

    impl std::ops::Index<&RowKey> for Rows {
        type Output = Sum;

        fn index(&self, key: &RowKey) -> &Sum {
            self.iter().find(|(known, _)| *known == key).unwrap().1
        }
    }

    /// In any order.
    impl PartialEq for Rows {
        fn eq(&self, other: &Self) -> bool {
            let map = |rows: &Self| -> HashMap<RowKey, Sum> { rows.clone().into_pairs().collect() };
            self.len() == other.len() && map(self) == map(other)
        }
    }
}
