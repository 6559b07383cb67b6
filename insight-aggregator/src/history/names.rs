//! Which names a time range has: those that Kubernetes gives now, or those that it gave then.

use std::ops::Deref;
use std::sync::{Arc, RwLockReadGuard};

use anyhow::Result;

use super::History;
use crate::kubernetes::index::REMEMBERED;
use crate::kubernetes::{Directory, Index};
use crate::model::{UnixMs, now_ms};

/// A range that ends at most so long ago is named as of now, milliseconds: reports and changes of that time are still coming.
const RECENT: i64 = 120_000;

/// What names ends of flows, at any time.
#[derive(Clone, Debug)]
pub struct Names {
    directory: Directory,
    history: Option<Arc<History>>,
}

impl From<Directory> for Names {
    /// Only as of now.
    fn from(directory: Directory) -> Self {
        Self {
            directory,
            history: None,
        }
    }
}

impl Names {
    /// As of now, and of what is kept.
    pub fn new(directory: Directory, history: Arc<History>) -> Self {
        Self {
            directory,
            history: Some(history),
        }
    }

    /// What Kubernetes says now.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What it said, if that is kept.
    pub fn history(&self) -> Option<&Arc<History>> {
        self.history.as_ref()
    }

    /// The names of a time range. Blocks.
    pub fn of(&self, from: UnixMs, to: UnixMs) -> Result<NamesOf> {
        self.of_at(from, to, now_ms())
    }

    pub(super) fn of_at(&self, from: UnixMs, to: UnixMs, now: UnixMs) -> Result<NamesOf> {
        let now_is_right = |history: &History| {
            let knows_since = history.living_since().max(now - REMEMBERED);
            to >= now - RECENT && from >= knows_since
        };
        let past = match &self.history {
            Some(history) if !now_is_right(history) => history.index(from, to, now)?,
            _ => None,
        };
        Ok(match past {
            Some(index) => NamesOf::Past(index),
            None => NamesOf::Now(self.directory.clone()),
        })
    }
}

/// The names of one time range.
#[derive(Clone, Debug)]
pub enum NamesOf {
    /// Those of now.
    Now(Directory),
    /// Those of then.
    Past(Arc<Index>),
}

impl NamesOf {
    /// The index, which does not change meanwhile: read it quickly.
    pub fn read(&self) -> Reading<'_> {
        match self {
            Self::Now(directory) => Reading::Now(directory.read()),
            Self::Past(index) => Reading::Past(index),
        }
    }
}

/// An index that is being read.
#[derive(Debug)]
pub enum Reading<'n> {
    /// The living one.
    Now(RwLockReadGuard<'n, Index>),
    /// One of the past.
    Past(&'n Index),
}

impl Deref for Reading<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        match self {
            Self::Now(index) => index,
            Self::Past(index) => index,
        }
    }
}
