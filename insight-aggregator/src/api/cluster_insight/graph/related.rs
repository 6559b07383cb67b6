//! What objects lead to by their specification: by name, or by a selector.

use super::super::ids;
use super::super::kinds::RelationKind;
use super::build::Builder;
use crate::kubernetes::object::{Body, Labels, Relation};

pub(super) fn add(builder: &mut Builder<'_>) {
    for stored in builder.snapshot.all() {
        let meta = &stored.object.meta;
        let Body::Related(related) = &stored.object.body else {
            continue;
        };
        let Some(place) = builder.find(&ids::object(meta)) else {
            continue;
        };
        for target in &related.targets {
            let kind = match target.relation {
                Relation::Routes => RelationKind::Routes,
                Relation::BindsTo => RelationKind::BindsTo,
                Relation::Scales => RelationKind::Scales,
            };
            let (namespace, name) = (&target.namespace, &target.name);
            if let Some(target) = builder.find_object(&target.kind, namespace, name, None) {
                builder.relate(place, kind, target, 0);
            }
        }
        if let Some(selector) = &related.selector {
            let pods: Vec<usize> = selected(builder, &meta.namespace, selector).collect();
            for pod in pods {
                builder.relate(place, RelationKind::Selects, pod, 0);
            }
        }
    }
}

/// The pods of a namespace that have all of these labels.
pub(super) fn selected(
    builder: &Builder<'_>,
    namespace: &str,
    selector: &Labels,
) -> impl Iterator<Item = usize> {
    builder.pods_of(namespace).filter_map(|object| {
        let labels = &object.meta.labels;
        let fits = selector
            .iter()
            .all(|pair| labels.binary_search(pair).is_ok());
        fits.then(|| builder.find(&ids::object(&object.meta)))?
    })
}
