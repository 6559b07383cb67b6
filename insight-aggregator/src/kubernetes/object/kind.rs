//! Kinds of objects.

use super::Text;

/// A kind of the API that is watched, or that something watched is owned by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApiKind {
    /// `v1` Pod.
    Pod,
    /// `v1` Node.
    Node,
    /// `v1` Namespace.
    Namespace,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `v1` PersistentVolume.
    PersistentVolume,
    /// `autoscaling/v2` HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
    /// `v1` ConfigMap; metadata only.
    ConfigMap,
    /// `v1` Secret; metadata only, and only where it is asked for.
    Secret,
    /// Any other, as `Kind.group`, for example `Rollout.argoproj.io`; metadata only.
    Other(Text),
}

impl ApiKind {
    /// Every kind that has a name of its own here.
    pub const NAMED: [Self; 20] = [
        Self::Pod,
        Self::Node,
        Self::Namespace,
        Self::Service,
        Self::EndpointSlice,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::ReplicationController,
        Self::Ingress,
        Self::PersistentVolumeClaim,
        Self::PersistentVolume,
        Self::HorizontalPodAutoscaler,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
        Self::ConfigMap,
        Self::Secret,
    ];

    /// `HTTPRoute` of the Gateway API, which a cluster may have.
    pub fn http_route() -> Self {
        Self::Other(Text::from("HTTPRoute.gateway.networking.k8s.io"))
    }

    /// The API group, empty for the core group.
    pub fn group(&self) -> &str {
        match self {
            Self::EndpointSlice => "discovery.k8s.io",
            Self::ReplicaSet | Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::Job | Self::CronJob => "batch",
            Self::Ingress | Self::NetworkPolicy => "networking.k8s.io",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::PodDisruptionBudget => "policy",
            Self::Other(name) => name.split_once('.').map_or("", |(_, group)| group),
            _ => "",
        }
    }

    /// The API's name of the kind, without its group.
    pub fn name(&self) -> &str {
        match self {
            Self::Pod => "Pod",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::ReplicaSet => "ReplicaSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::ReplicationController => "ReplicationController",
            Self::Ingress => "Ingress",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::PersistentVolume => "PersistentVolume",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Other(name) => name.split_once('.').map_or(name, |(kind, _)| kind),
        }
    }

    /// The kind with this name in this API group (without the version).
    pub fn of(name: &str, group: &str) -> Self {
        Self::NAMED
            .into_iter()
            .find(|kind| kind.name() == name && kind.group() == group)
            .unwrap_or_else(|| {
                Self::Other(if group.is_empty() {
                    Text::from(name)
                } else {
                    Text::from(format!("{name}.{group}"))
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name_and_group() {
        for kind in ApiKind::NAMED {
            assert_eq!(ApiKind::of(kind.name(), kind.group()), kind);
        }
        let rollout = ApiKind::of("Rollout", "argoproj.io");
        assert_eq!(rollout, ApiKind::Other("Rollout.argoproj.io".into()));
        assert_eq!(
            (rollout.name(), rollout.group()),
            ("Rollout", "argoproj.io")
        );
        let foreign = ApiKind::of("Deployment", "example.com");
        assert_eq!(foreign, ApiKind::Other("Deployment.example.com".into()));
    }
}
