//! What the aggregator must be allowed to read, and nothing else.

use std::fmt::Write as _;

/// Resources of one API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The group; empty for the core group.
    pub group: &'static str,
    /// Its resources.
    pub resources: &'static [&'static str],
}

/// What may be done with them: the first list, and all that changes.
pub const VERBS: [&str; 2] = ["list", "watch"];

/// What is watched. Not `secrets`, see [`SECRETS`].
pub const RULES: [Rule; 9] = [
    Rule {
        group: "",
        resources: &[
            "configmaps",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "replicationcontrollers",
            "services",
        ],
    },
    Rule {
        group: "apps",
        resources: &["daemonsets", "deployments", "replicasets", "statefulsets"],
    },
    Rule {
        group: "autoscaling",
        resources: &["horizontalpodautoscalers"],
    },
    Rule {
        group: "batch",
        resources: &["cronjobs", "jobs"],
    },
    Rule {
        group: "discovery.k8s.io",
        resources: &["endpointslices"],
    },
    Rule {
        group: "events.k8s.io",
        resources: &["events"],
    },
    Rule {
        group: "gateway.networking.k8s.io",
        resources: &["httproutes"],
    },
    Rule {
        group: "networking.k8s.io",
        resources: &["ingresses", "networkpolicies"],
    },
    Rule {
        group: "policy",
        resources: &["poddisruptionbudgets"],
    },
];

/// What `--kubernetes-secrets` needs beyond that. There is no right to list names alone: it is one to read every Secret of the cluster.
pub const SECRETS: Rule = Rule {
    group: "",
    resources: &["secrets"],
};

/// How a controller's kind is looked up. Kubernetes gives it to every account, unless that was taken away.
pub const DISCOVERY: [&str; 4] = ["/api", "/api/*", "/apis", "/apis/*"];

/// Whom the rights are given to.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    /// The service account's name, also that of the role and its binding.
    pub name: &'a str,
    /// The service account's namespace.
    pub namespace: &'a str,
}

/// A ClusterRole and its binding as YAML. `owners`: resources of other controllers with their groups, `rollouts.argoproj.io`.
pub fn yaml(account: &Account<'_>, secrets: bool, owners: &[(String, String)]) -> String {
    let Account { name, namespace } = account;
    let mut text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {name}
rules:
"
    );
    let extra = secrets.then_some(SECRETS);
    for rule in RULES.into_iter().chain(extra) {
        rule_yaml(&mut text, rule.group, rule.resources);
    }
    for (resource, group) in owners {
        rule_yaml(&mut text, group, &[resource]);
    }
    let paths = DISCOVERY.map(|path| format!("\"{path}\"")).join(", ");
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "  - nonResourceURLs: [{paths}]
    verbs: [\"get\"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {name}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {name}
subjects:
  - kind: ServiceAccount
    name: {name}
    namespace: {namespace}
"
    );
    text
}

fn rule_yaml(text: &mut String, group: &str, resources: &[&str]) {
    let quoted = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        words.join(", ")
    };
    let _ = write!(
        text,
        "  - apiGroups: [\"{group}\"]
    resources: [{}]
    verbs: [{}]
",
        quoted(resources),
        quoted(&VERBS)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::watch::watched;

    /// The resources of a kind are its name in small letters, in the plural.
    fn resource(kind: &str) -> String {
        let kind = kind.to_lowercase();
        match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        }
    }

    #[test]
    fn there_is_a_right_for_each_kind_that_is_watched_and_no_other() {
        for secrets in [false, true] {
            let mut watched: Vec<(String, String)> = watched(secrets)
                .map(|kind| (kind.group().into(), resource(kind.name())))
                .collect();
            let extra = secrets.then_some(SECRETS);
            let mut given: Vec<(String, String)> = RULES
                .into_iter()
                .chain(extra)
                .flat_map(|rule| {
                    let group = rule.group;
                    let resources = rule.resources.iter();
                    resources.map(move |resource| (group.to_owned(), (*resource).to_owned()))
                })
                .collect();
            watched.sort();
            given.sort();
            assert_eq!(given, watched);
        }
    }

    #[test]
    fn the_role_has_what_was_asked_for() {
        let account = Account {
            name: "insight",
            namespace: "monitoring",
        };
        let least = yaml(&account, false, &[]);
        assert!(!least.contains("secrets"), "{least}");
        assert!(least.contains("namespace: monitoring"), "{least}");
        let owners = [("rollouts".into(), "argoproj.io".into())];
        let more = yaml(&account, true, &owners);
        assert!(more.contains("resources: [\"secrets\"]"), "{more}");
        let rule = "apiGroups: [\"argoproj.io\"]\n    resources: [\"rollouts\"]\n    verbs: [\"list\", \"watch\"]";
        assert!(more.contains(rule), "{more}");
    }
}
