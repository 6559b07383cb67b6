//! Which kinds are watched, and what is kept of each.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::{apps, autoscaling, batch, core, discovery, networking, policy};
use kube::Resource;
use kube::api::{Api, PartialObjectMeta};
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::follow::{Follow, Take};
use super::routes;
use super::shared::Shared;
use crate::kubernetes::convert;
use crate::kubernetes::object::{ApiKind, Body, Object, Texts};

/// The kinds that are watched from the start, as they stand in [`crate::kubernetes::Index::watches`]; Events are the last.
///
/// Secrets only where it is asked for: of them no more than the names would be kept, but Kubernetes has no right to list names alone. Whoever
/// may list Secrets may read what is in them, and a program that talks to the network should not be able to.
pub fn watched(secrets: bool) -> impl Iterator<Item = ApiKind> {
    let named = ApiKind::NAMED.into_iter();
    named
        .filter(move |kind| secrets || *kind != ApiKind::Secret)
        .chain([ApiKind::http_route(), events()])
}

/// Events have no place among the objects.
fn events() -> ApiKind {
    ApiKind::of("Event", "events.k8s.io")
}

/// Starts the watches of all kinds.
pub(super) fn follow_all(shared: &Arc<Shared>, secrets: bool) {
    for kind in watched(secrets) {
        follow(shared, kind);
    }
}

fn follow(shared: &Arc<Shared>, kind: ApiKind) {
    match kind {
        ApiKind::Pod => whole(shared, kind, convert::pod),
        ApiKind::Node => whole(shared, kind, convert::node),
        ApiKind::Namespace => names::<core::v1::Namespace>(shared, kind),
        ApiKind::Service => whole(shared, kind, convert::service),
        ApiKind::EndpointSlice => {
            whole::<discovery::v1::EndpointSlice>(shared, kind, convert::endpoint_slice);
        }
        ApiKind::ReplicaSet => whole::<apps::v1::ReplicaSet>(shared, kind, convert::replica_set),
        ApiKind::Deployment => whole(shared, kind, convert::deployment),
        ApiKind::StatefulSet => whole(shared, kind, convert::stateful_set),
        ApiKind::DaemonSet => whole(shared, kind, convert::daemon_set),
        ApiKind::Job => whole::<batch::v1::Job>(shared, kind, convert::job),
        ApiKind::CronJob => whole(shared, kind, convert::cron_job),
        ApiKind::ReplicationController => whole(shared, kind, convert::replication_controller),
        ApiKind::Ingress => whole::<networking::v1::Ingress>(shared, kind, convert::ingress),
        ApiKind::PersistentVolumeClaim => whole(shared, kind, convert::persistent_volume_claim),
        ApiKind::PersistentVolume => names::<core::v1::PersistentVolume>(shared, kind),
        ApiKind::HorizontalPodAutoscaler => whole::<autoscaling::v2::HorizontalPodAutoscaler>(
            shared,
            kind,
            convert::horizontal_pod_autoscaler,
        ),
        ApiKind::PodDisruptionBudget => {
            whole::<policy::v1::PodDisruptionBudget>(shared, kind, convert::pod_disruption_budget);
        }
        ApiKind::NetworkPolicy => whole(shared, kind, convert::network_policy),
        ApiKind::ConfigMap => names::<core::v1::ConfigMap>(shared, kind),
        ApiKind::Secret => names::<core::v1::Secret>(shared, kind),
        ApiKind::Other(_) if kind == ApiKind::http_route() => {
            shared.spawn(routes::watch(Arc::clone(shared)));
        }
        ApiKind::Other(_) => occurrences(shared, kind),
    }
}

/// Watches a kind of which more than names is kept.
fn whole<K>(shared: &Arc<Shared>, kind: ApiKind, convert: fn(&K, &mut Texts) -> Object)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let take: Take<K> = Box::new(move |of, index, at| {
        let object = convert(of, index.texts());
        let controller = unknown_controller(&object);
        index.put_version(object, version_of(of), at);
        controller
    });
    let api = Api::all(shared.client.clone());
    shared.spawn(Follow::new(shared, kind, api, take).run());
}

/// Watches a kind of which the API server is asked for metadata only.
fn names<K>(shared: &Arc<Shared>, kind: ApiKind)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    PartialObjectMeta<K>: Resource<DynamicType = ()> + DeserializeOwned,
{
    let api: Api<PartialObjectMeta<K>> = Api::all(shared.client.clone());
    let take = take_names(kind.clone());
    shared.spawn(Follow::new(shared, kind, api, take).run());
}

/// Keeps metadata only.
pub(super) fn take_names<K: Resource>(kind: ApiKind) -> Take<K> {
    Box::new(move |of, index, at| {
        let object = convert::plain(&kind, of.meta(), index.texts());
        let controller = unknown_controller(&object);
        index.put_version(object, version_of(of), at);
        controller
    })
}

fn occurrences(shared: &Arc<Shared>, kind: ApiKind) {
    let take: Take<Event> = Box::new(|of, index, _| {
        let occurrence = convert::event(of, index.texts());
        index.occurred(occurrence);
        None
    });
    let api = Api::all(shared.client.clone());
    shared.spawn(Follow::new(shared, kind, api, take).run());
}

/// The resource version of an object. By the API's contract it need not be a number, but of the same object it is the same.
pub(super) fn version_of<K: Resource>(of: &K) -> u64 {
    let version = of.meta().resource_version.as_deref().unwrap_or_default();
    version
        .parse()
        .unwrap_or_else(|_| xxh3_64(version.as_bytes()))
}

/// The kind of an object's controller, if that is one that has no name of its own here, and the object is on the way from a pod up.
fn unknown_controller(object: &Object) -> Option<ApiKind> {
    let is_on_the_way = matches!(object.body, Body::Pod(_) | Body::Workload(_))
        || matches!(object.meta.kind, ApiKind::Other(_));
    let controller = object.meta.controller.as_ref()?;
    let is_unknown = matches!(controller.kind, ApiKind::Other(_));
    (is_on_the_way && is_unknown).then(|| controller.kind.clone())
}
