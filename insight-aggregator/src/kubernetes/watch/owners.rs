//! Kinds that own what was seen: the controllers of others than Kubernetes itself.
//!
//! Of such a kind a reference tells name and group, not how it is asked for; that is discovered. The object that is referred to is named by the reference already;
//! the watch adds its labels and its own controller.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::core::ApiResource;
use kube::discovery;
use kube::error::DiscoveryError;
use tokio::time::sleep;

use super::back_off::BackOff;
use super::failure::Failure;
use super::follow::Follow;
use super::kinds;
use super::shared::Shared;
use crate::kubernetes::Watch;
use crate::kubernetes::object::ApiKind;

/// Owner kinds that are watched: a cluster has a handful. Whoever may create a pod may write any kind into its references.
pub const MAX_OWNER_KINDS: usize = 32;
/// How often a kind that cannot be found is looked for: it may be installed later.
const RARELY: Duration = Duration::from_secs(300);

/// A controller of this kind was met: watch it, if it is not watched yet.
pub(super) fn met(shared: &Arc<Shared>, kind: ApiKind) {
    let mut known = shared.owners.lock().unwrap_or_else(PoisonError::into_inner);
    if known.contains(&kind) {
        return;
    }
    if known.len() == MAX_OWNER_KINDS {
        shared.directory.stats().owners_left_out.one();
        return;
    }
    known.insert(kind.clone());
    drop(known);
    let watch = watch(Arc::clone(shared), kind);
    shared.spawn(watch);
}

async fn watch(shared: Arc<Shared>, kind: ApiKind) {
    let resource = discovered(&shared, &kind).await;
    let api: Api<PartialObjectMeta<DynamicObject>> =
        Api::all_with(shared.client.clone(), &resource);
    let take = kinds::take_names(kind.clone());
    Follow::new(&shared, kind, api, take).run().await;
}

/// How the kind is asked for, once the API server has it.
pub(super) async fn discovered(shared: &Shared, kind: &ApiKind) -> ApiResource {
    shared.set(kind, &Watch::Starting);
    let stats = shared.directory.stats().of(kind);
    let mut back_off = BackOff::default();
    loop {
        match discover(shared, kind).await {
            Ok(resource) => return resource,
            Err(failure) => {
                stats.failures.one();
                shared.set(kind, &state(failure));
                sleep(back_off.wait(RARELY)).await;
            }
        }
    }
}

/// How the kind is asked for, at the version that the API server prefers.
async fn discover(shared: &Shared, kind: &ApiKind) -> Result<ApiResource, Failure> {
    let group = match discovery::group(&shared.client, kind.group()).await {
        Err(kube::Error::Discovery(DiscoveryError::MissingApiGroup(_))) => {
            return Err(Failure::Absent);
        }
        found => found?,
    };
    let found = group.recommended_kind(kind.name());
    found.map(|(resource, _)| resource).ok_or(Failure::Absent)
}

fn state(failure: Failure) -> Watch {
    match failure {
        Failure::Absent => Watch::Absent,
        Failure::Forbidden(why) => Watch::Forbidden { why },
        Failure::Gone => unheard("it is no longer there".into()),
        Failure::Answered(why) | Failure::Unheard(why) => unheard(why),
    }
}

fn unheard(why: String) -> Watch {
    Watch::Behind { since: None, why }
}
