//! Names of types of resources and relations, as they are answered and as they may be asked for.

use crate::kubernetes::object::ApiKind;

/// Types of resources that are no objects of the API.
pub(super) const CLUSTER: &str = "Cluster";
pub(super) const CONTAINER: &str = "Container";
pub(super) const IMAGE: &str = "Image";
pub(super) const PROCESS: &str = "Process";
pub(super) const EXTERNAL: &str = "External";
const HTTP_ROUTE: &str = "HTTPRoute";

/// Kept, so that names can be borrowed from it.
static NAMED: [ApiKind; 20] = ApiKind::NAMED;

/// How one resource is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum RelationKind {
    Contains,
    Runs,
    CreatedFrom,
    LoadBalances,
    Monitors,
    Owns,
    Routes,
    HasEndpoint,
    Mounts,
    BindsTo,
    Scales,
    Selects,
    CommunicatesWith,
}

impl RelationKind {
    pub(super) const ALL: [Self; 13] = [
        Self::Contains,
        Self::Runs,
        Self::CreatedFrom,
        Self::LoadBalances,
        Self::Monitors,
        Self::Owns,
        Self::Routes,
        Self::HasEndpoint,
        Self::Mounts,
        Self::BindsTo,
        Self::Scales,
        Self::Selects,
        Self::CommunicatesWith,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::Runs => "runs",
            Self::CreatedFrom => "createdFrom",
            Self::LoadBalances => "loadBalances",
            Self::Monitors => "monitors",
            Self::Owns => "owns",
            Self::Routes => "routes",
            Self::HasEndpoint => "hasEndpoint",
            Self::Mounts => "mounts",
            Self::BindsTo => "bindsTo",
            Self::Scales => "scales",
            Self::Selects => "selects",
            Self::CommunicatesWith => "communicatesWith",
        }
    }

    /// The one with this name, in any case.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// The type of an object of the API.
pub(super) fn of_object(kind: &ApiKind) -> &str {
    match kind {
        // As well known as an Ingress.
        other if *other == ApiKind::http_route() => HTTP_ROUTE,
        ApiKind::Other(name) => name,
        named => named.name(),
    }
}

/// The type that `name` asks for: singular or plural, in any case, `rcontrollers` too. `also` are types that only this cluster has.
pub(super) fn parse<'t>(name: &str, also: impl Iterator<Item = &'t str>) -> Option<String> {
    if name.eq_ignore_ascii_case("rcontrollers") {
        return Some(of_object(&ApiKind::ReplicationController).to_owned());
    }
    let own = [
        CLUSTER,
        CONTAINER,
        IMAGE,
        PROCESS,
        EXTERNAL,
        HTTP_ROUTE,
        // Ends of connections that are no objects of the API.
        "Unit",
        "Cgroup",
        "Ambiguous",
        "Overflow",
    ];
    own.into_iter()
        .chain(NAMED.iter().map(ApiKind::name))
        .chain(also)
        .find(|kind| is_named(kind, name))
        .map(str::to_owned)
}

fn is_named(kind: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let kind = kind.to_ascii_lowercase();
    let plural = match kind.strip_suffix('y') {
        // Policies, but gateways.
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) => format!("{kind}es"),
        _ => format!("{kind}s"),
    };
    name == kind || name == plural
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_type_are_known() {
        for (name, kind) in [
            ("nodes", "Node"),
            ("Pod", "Pod"),
            ("rcontrollers", "ReplicationController"),
            ("processes", "Process"),
            ("networkpolicies", "NetworkPolicy"),
            ("ingresses", "Ingress"),
            ("ENDPOINTSLICES", "EndpointSlice"),
            ("rollout.argoproj.io", "Rollout.argoproj.io"),
        ] {
            let also = ["Rollout.argoproj.io"].into_iter();
            assert_eq!(parse(name, also).as_deref(), Some(kind));
        }
        assert_eq!(parse("minions", std::iter::empty()), None);
    }

    #[test]
    fn relations_are_known_by_name() {
        for kind in RelationKind::ALL {
            let upper = kind.as_str().to_uppercase();
            assert_eq!(RelationKind::parse(&upper), Some(kind));
        }
    }
}
