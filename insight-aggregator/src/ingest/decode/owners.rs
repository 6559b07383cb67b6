//! A batch's owners: checked, named, found by cgroup id.

use std::collections::HashMap;

use insight_proto::v1;

use super::BadBatch;
use crate::identity;
use crate::ingest::limits::{MAX_OWNERS, MAX_PATH, MAX_WORD};
use crate::model::Entity;

/// The entities of a batch.
pub(super) struct Owners {
    /// One for each distinct id; containers that have several cgroups appear once.
    pub(super) entities: Vec<Entity>,
    by_cgroup: HashMap<u64, usize>,
}

impl Owners {
    pub(super) fn name(owners: &[v1::Owner], node: &str) -> Result<Self, BadBatch> {
        if owners.len() > MAX_OWNERS {
            return Err(BadBatch::too_many("owners", owners.len(), MAX_OWNERS));
        }
        let mut named = Self {
            entities: Vec::with_capacity(owners.len()),
            by_cgroup: HashMap::with_capacity(owners.len()),
        };
        let mut by_id = HashMap::with_capacity(owners.len());
        for (row, owner) in owners.iter().enumerate() {
            check(row, owner)?;
            let entity = identity::entity(owner, node);
            let index = *by_id.entry(entity.id.clone()).or_insert_with(|| {
                named.entities.push(entity);
                named.entities.len() - 1
            });
            if named.by_cgroup.insert(owner.cgroup_id, index).is_some() {
                return Err(BadBatch::at(
                    "owners.cgroup_id",
                    row,
                    format!("{} is in the list twice", owner.cgroup_id),
                ));
            }
        }
        Ok(named)
    }

    /// The owner of this cgroup.
    pub(super) fn get(&self, cgroup_id: u64) -> Option<&Entity> {
        let index = *self.by_cgroup.get(&cgroup_id)?;
        self.entities.get(index)
    }
}

fn check(row: usize, owner: &v1::Owner) -> Result<(), BadBatch> {
    const LEVELS: [&str; 6] = ["container", "pod", "unit", "cgroup", "root", ""];
    let lengths = [
        ("owners.path", &owner.path, MAX_PATH),
        ("owners.pod_uid", &owner.pod_uid, MAX_WORD),
        ("owners.container_id", &owner.container_id, MAX_WORD),
        ("owners.runtime", &owner.runtime, MAX_WORD),
        ("owners.qos", &owner.qos, MAX_WORD),
        ("owners.unit", &owner.unit, MAX_WORD),
        ("owners.process", &owner.process, MAX_WORD),
    ];
    for (field, text, limit) in lengths {
        if text.len() > limit {
            return Err(BadBatch::at(
                field,
                row,
                format!("is {} bytes long, the limit is {limit}", text.len()),
            ));
        }
    }
    if !LEVELS.contains(&owner.level.as_str()) {
        let level: String = owner.level.chars().take(40).collect();
        return Err(BadBatch::at(
            "owners.level",
            row,
            format!("{level:?} is none of container, pod, unit, cgroup, root"),
        ));
    }
    Ok(())
}
