//! What is known at one moment.

use std::collections::BTreeMap;

use insight_proto::v1;

use super::super::http::{Failure, Http};
use super::super::reader::ReadError;
use super::question::Grain;
use crate::graph::QueryText;
use crate::ingest::agents::Agent;
use crate::kubernetes::object::ApiKind;
use crate::kubernetes::{Directory, Stored, Watch};
use crate::model::{UnixMs, now_ms};

/// What the graph is made of. The index is copied (texts are shared), so that whoever fills it never waits for an answer to be written.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Objects by kind, in the order of their namespaces and names.
    pub(super) objects: BTreeMap<ApiKind, Vec<Stored>>,
    /// Counts up with each change of the index.
    pub(super) version: u64,
    /// What is not known of the objects, by kind.
    pub(super) unknown: Vec<(ApiKind, Watch)>,
    /// Connected agents.
    pub(super) agents: Vec<Agent>,
    /// Who talked to whom.
    pub(super) traffic: Option<v1::Graph>,
    /// When the objects were like this, if another time was asked for.
    pub(super) known_at: Option<UnixMs>,
}

impl Snapshot {
    /// Everything, with the traffic of the last 15 minutes if a grain is given. With `times` the traffic is that of another time, and objects that were created
    /// after it are left out.
    pub(super) async fn take(
        http: &Http,
        grain: Option<Grain>,
        times: Option<&QueryText>,
    ) -> Result<Self, Failure> {
        let level = grain.unwrap_or_default().level().as_str().to_owned();
        let question = times.cloned().unwrap_or_default().with("level", level);
        let query = question.parse(now_ms()).map_err(ReadError::from)?;
        let end = query.range.to;
        let traffic = match grain {
            Some(_) => Some(http.reader.graph(query).await?),
            None => None,
        };
        let mut snapshot = Self {
            traffic,
            agents: http.agents.list(),
            ..Self::of(http.reader.directory())
        };
        snapshot.refuse_half_read()?;
        if times.is_some() {
            snapshot.known_at = Some(now_ms());
            for objects in snapshot.objects.values_mut() {
                objects.retain(|stored| stored.object.meta.created < end);
            }
        }
        Ok(snapshot)
    }

    pub(super) fn of(directory: &Directory) -> Self {
        let index = directory.read();
        let objects = index
            .kinds()
            .map(|kind| (kind.clone(), index.of_kind(kind).cloned().collect()))
            .collect();
        let unknown = index
            .watches()
            .filter(|(_, watch)| !matches!(watch, Watch::Current | Watch::Absent))
            .map(|(kind, watch)| (kind.clone(), watch.clone()))
            .collect();
        Self {
            objects,
            version: index.version(),
            unknown,
            ..Self::default()
        }
    }

    /// Half of the pods would look as if the others had been deleted.
    fn refuse_half_read(&self) -> Result<(), Failure> {
        let is_starting = |kind: &ApiKind| {
            self.unknown
                .iter()
                .any(|(unknown, watch)| unknown == kind && *watch == Watch::Starting)
        };
        match [ApiKind::Node, ApiKind::Pod]
            .iter()
            .find(|kind| is_starting(kind))
        {
            Some(kind) => Err(Failure::not_ready(
                format!(
                    "the first list of {}s has not been read to its end",
                    kind.name()
                ),
                "ask again in a few seconds; the log says what stands in the way if it lasts",
            )),
            None => Ok(()),
        }
    }

    /// The objects of a kind.
    pub(super) fn of_kind(&self, kind: &ApiKind) -> impl Iterator<Item = &Stored> {
        self.objects.get(kind).into_iter().flatten()
    }

    /// All objects.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stored> {
        self.objects.values().flatten()
    }
}
