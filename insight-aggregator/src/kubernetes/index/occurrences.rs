//! The newest Events of the API.

use std::collections::{HashMap, VecDeque};

use crate::kubernetes::object::{Occurrence, Text};

/// Events kept; a cluster in trouble has thousands an hour.
const MAX: usize = 10_000;

/// The newest Events of the API, by when they were added.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    by_uid: HashMap<Text, Occurrence>,
    order: VecDeque<Text>,
}

impl Occurrences {
    /// Takes an Event, in the place of what it repeats.
    pub(super) fn add(&mut self, occurrence: Occurrence) {
        let uid = Text::clone(&occurrence.uid);
        if self.by_uid.insert(Text::clone(&uid), occurrence).is_none() {
            self.order.push_back(uid);
        }
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_uid.remove(&oldest);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Occurrence> {
        self.order.iter().filter_map(|uid| self.by_uid.get(uid))
    }
}
