//! Maps of millions of keys, which a graph is made with.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// Three times as fast as the standard library's with keys of this size. The seed is random, so that who chooses addresses or names does not choose what
/// collides.
pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// Likewise.
pub(super) type Set<K> = HashSet<K, RandomState>;
