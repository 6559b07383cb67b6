//! Who is meant by an address that always leads back to the caller: a loopback address, or the caller's own.

use std::net::IpAddr;

use super::map::Map;
use crate::model::{Entity, EntityId, Kind, RowKey, Window};

/// A place that all of its inhabitants call their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Home {
    /// A network namespace, by its scope.
    Namespace(u64),
    /// An address in a scope.
    Address(u64, IpAddr),
}

impl Home {
    /// Where the row was measured.
    fn of(key: &RowKey) -> Self {
        if [key.local_addr, key.remote_addr]
            .iter()
            .any(|address| leads_inside(*address))
        {
            Self::Namespace(key.scope)
        } else {
            Self::Address(key.scope, key.local_addr)
        }
    }
}

/// Whether the row's far end is where its local end is, whoever that may be.
pub(super) fn is_at_home(key: &RowKey) -> bool {
    leads_inside(key.remote_addr) || key.remote_addr == key.local_addr
}

fn leads_inside(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Who lives where, as far as it was seen.
pub(super) struct Homes<'w> {
    window: &'w Window,
    /// The one pod, or what is in none, that was seen there, nothing if there were several; made when somebody asks first.
    inhabitants: Option<Map<Home, Option<&'w EntityId>>>,
}

impl<'w> Homes<'w> {
    pub(super) fn new(window: &'w Window) -> Self {
        Self {
            window,
            inhabitants: None,
        }
    }

    /// The pod or the container whose own network the row was measured in: it was measured there, and nobody else was seen in it.
    /// Nothing if that is the host's network, as it is for whatever is neither.
    pub(super) fn owner(&mut self, key: &RowKey) -> Option<&'w Entity> {
        let entity = self.window.entities.get(&key.local)?;
        if !matches!(entity.pod_kind, Kind::Pod | Kind::Container) {
            return None;
        }
        let window = self.window;
        let inhabitants = self.inhabitants.get_or_insert_with(|| count(window));
        let only = inhabitants.get(&Home::of(key)).copied().flatten()?;
        (*only == entity.pod).then_some(entity)
    }
}

fn count(window: &Window) -> Map<Home, Option<&EntityId>> {
    let mut inhabitants = Map::default();
    for key in window.rows.keys() {
        let entity = window.entities.get(&key.local);
        let pod = entity.map_or(&key.local, |entity| &entity.pod);
        inhabitants
            .entry(Home::of(key))
            .and_modify(|known: &mut Option<&EntityId>| {
                *known = known.filter(|known| *known == pod);
            })
            .or_insert(Some(pod));
    }
    inhabitants
}
