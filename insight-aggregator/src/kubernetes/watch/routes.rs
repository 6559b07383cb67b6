//! HTTPRoutes, where the cluster has the Gateway API.

use std::sync::Arc;

use kube::api::{Api, DynamicObject};

use super::follow::{Follow, Take};
use super::kinds::version_of;
use super::owners::discovered;
use super::shared::Shared;
use crate::kubernetes::convert;
use crate::kubernetes::object::ApiKind;

/// Watches them from when there are any.
pub(super) async fn watch(shared: Arc<Shared>) {
    let kind = ApiKind::http_route();
    let resource = discovered(&shared, &kind).await;
    let take: Take<DynamicObject> = Box::new(|of, index, at| {
        let object = convert::http_route(of, index.texts());
        index.put_version(object, version_of(of), at);
        None
    });
    let api = Api::all_with(shared.client.clone(), &resource);
    Follow::new(&shared, kind, api, take).run().await;
}
