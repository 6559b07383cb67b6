//! The only place that will name the kube crate: watches, index, owners. Empty until Kubernetes names are joined.
