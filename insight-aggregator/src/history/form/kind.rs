//! Kinds, by numbers that never change.

use insight_proto::storage::Kind;

use crate::kubernetes::object::{ApiKind, Texts};

/// Every kind that has a number.
const NUMBERED: [(ApiKind, Kind); 20] = [
    (ApiKind::Pod, Kind::Pod),
    (ApiKind::Node, Kind::Node),
    (ApiKind::Namespace, Kind::Namespace),
    (ApiKind::Service, Kind::Service),
    (ApiKind::EndpointSlice, Kind::EndpointSlice),
    (ApiKind::ReplicaSet, Kind::ReplicaSet),
    (ApiKind::Deployment, Kind::Deployment),
    (ApiKind::StatefulSet, Kind::StatefulSet),
    (ApiKind::DaemonSet, Kind::DaemonSet),
    (ApiKind::Job, Kind::Job),
    (ApiKind::CronJob, Kind::CronJob),
    (ApiKind::ReplicationController, Kind::ReplicationController),
    (ApiKind::Ingress, Kind::Ingress),
    (ApiKind::PersistentVolumeClaim, Kind::PersistentVolumeClaim),
    (ApiKind::PersistentVolume, Kind::PersistentVolume),
    (
        ApiKind::HorizontalPodAutoscaler,
        Kind::HorizontalPodAutoscaler,
    ),
    (ApiKind::PodDisruptionBudget, Kind::PodDisruptionBudget),
    (ApiKind::NetworkPolicy, Kind::NetworkPolicy),
    (ApiKind::ConfigMap, Kind::ConfigMap),
    (ApiKind::Secret, Kind::Secret),
];

/// The number, and the name where there is none.
pub(super) fn encode(kind: &ApiKind) -> (i32, String) {
    if let ApiKind::Other(name) = kind {
        return (Kind::Other.into(), name.to_string());
    }
    let numbered = NUMBERED.iter().find(|(known, _)| known == kind);
    let number = numbered.map_or(Kind::Other, |(_, number)| *number);
    (number.into(), String::new())
}

/// The kind. One that a newer version has numbered is another one, by its number.
pub(super) fn decode(number: i32, other: &str, texts: &mut Texts) -> ApiKind {
    let numbered = NUMBERED
        .iter()
        .find(|(_, known)| i32::from(*known) == number);
    match numbered {
        Some((kind, _)) => kind.clone(),
        None if number == 0 => ApiKind::Other(texts.intern(other)),
        None => ApiKind::Other(texts.intern(&format!("Kind{number}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number() {
        let mut texts = Texts::default();
        for kind in ApiKind::NAMED {
            let (number, other) = encode(&kind);
            assert_ne!(number, 0, "{kind:?}");
            assert_eq!(decode(number, &other, &mut texts), kind);
        }
        // Of another group, so not the Deployment that has a number.
        for other in ["Rollout.argoproj.io", "Deployment", "Pod.example.com", ""] {
            let kind = ApiKind::Other(other.into());
            let (number, name) = encode(&kind);
            assert_eq!(decode(number, &name, &mut texts), kind);
        }
        assert_eq!(
            decode(4711, "", &mut texts),
            ApiKind::Other("Kind4711".into())
        );
    }
}
