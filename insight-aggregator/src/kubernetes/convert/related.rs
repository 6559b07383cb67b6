//! Objects that lead to others by their specification.

use std::collections::BTreeSet;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::meta::{kind, meta};
use super::selector;
use crate::kubernetes::object::{
    ApiKind, Body, Meta, Object, Related, Relation, Selector, Target, Text, Texts,
};

/// What is kept of an Ingress: the Services that it routes to.
pub fn ingress(of: &Ingress, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::Ingress, &of.metadata, texts);
    let spec = of.spec.as_ref();
    let rules = spec.and_then(|spec| spec.rules.as_ref());
    let paths = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.http.as_ref())
        .flat_map(|http| &http.paths)
        .map(|path| &path.backend);
    let services: BTreeSet<&str> = spec
        .and_then(|spec| spec.default_backend.as_ref())
        .into_iter()
        .chain(paths)
        .filter_map(|backend: &IngressBackend| Some(backend.service.as_ref()?.name.as_str()))
        .collect();
    let targets = services
        .into_iter()
        .map(|name| Target {
            relation: Relation::Routes,
            kind: ApiKind::Service,
            namespace: Text::clone(&meta.namespace),
            name: texts.intern(name),
        })
        .collect();
    related(meta, targets, None)
}

/// What is kept of a PersistentVolumeClaim: its volume.
pub fn persistent_volume_claim(of: &PersistentVolumeClaim, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::PersistentVolumeClaim, &of.metadata, texts);
    let volume = of.spec.as_ref().and_then(|spec| spec.volume_name.as_ref());
    let targets = volume
        .filter(|name| !name.is_empty())
        .map(|name| Target {
            relation: Relation::BindsTo,
            kind: ApiKind::PersistentVolume,
            namespace: texts.intern(""),
            name: texts.intern(name),
        })
        .into_iter()
        .collect();
    related(meta, targets, None)
}

/// What is kept of a HorizontalPodAutoscaler: what it scales.
pub fn horizontal_pod_autoscaler(of: &HorizontalPodAutoscaler, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::HorizontalPodAutoscaler, &of.metadata, texts);
    let scaled = &of.spec.scale_target_ref;
    let target = Target {
        relation: Relation::Scales,
        kind: kind(
            &scaled.kind,
            scaled.api_version.as_deref().unwrap_or_default(),
        ),
        namespace: Text::clone(&meta.namespace),
        name: texts.intern(&scaled.name),
    };
    related(meta, Box::new([target]), None)
}

/// What is kept of a PodDisruptionBudget: its pods.
pub fn pod_disruption_budget(of: &PodDisruptionBudget, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::PodDisruptionBudget, &of.metadata, texts);
    let spec = of.spec.as_ref();
    let pods = selector::selector(spec.and_then(|spec| spec.selector.as_ref()), texts);
    related(meta, Box::default(), pods)
}

/// What is kept of a NetworkPolicy: the pods that it is for.
pub fn network_policy(of: &NetworkPolicy, texts: &mut Texts) -> Object {
    let meta = meta(&ApiKind::NetworkPolicy, &of.metadata, texts);
    let pods = of.spec.as_ref().and_then(|spec| {
        match &spec.pod_selector {
            Some(pods) => selector::selector(Some(pods), texts),
            // Left out it means the empty one, which selects all.
            None => Some(texts.labels(std::iter::empty())),
        }
    });
    related(meta, Box::default(), pods)
}

fn related(meta: Meta, targets: Box<[Target]>, selector: Selector) -> Object {
    Object {
        meta,
        body: Body::Related(Box::new(Related { targets, selector })),
    }
}
