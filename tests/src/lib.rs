//! The harness: pods, namespaces, cgroups and the product, each owned by a guard.
