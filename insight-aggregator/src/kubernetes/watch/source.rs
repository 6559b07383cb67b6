//! Which cluster is watched: what was asked for, and what that means here.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What `--kubernetes` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// The cluster that this process is in, or the one that KUBECONFIG names, or none.
    #[default]
    Auto,
    /// None.
    Off,
    /// The one that this process is in.
    InCluster,
    /// The current context of this file.
    Kubeconfig(PathBuf),
}

impl FromStr for Asked {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            "in-cluster" => Self::InCluster,
            path => Self::Kubeconfig(path.into()),
        })
    }
}

/// Where the API server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: no cluster is watched.
    Off,
    /// By Kubernetes, to each of its containers.
    InCluster,
    /// By these files together, as kubectl takes them.
    Kubeconfig(Vec<PathBuf>),
}

/// A source, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The source.
    pub source: Source,
    /// For the log.
    pub why: String,
    /// It was asked for by name: without it nothing must start. What was only found is left out if it is of no use.
    pub must: bool,
}

/// Has the token of a container's service account, and the API server's certificate.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Chooses by what this process was started with. `~/.kube/config` is not looked at: its current context is whichever cluster its owner worked with last,
/// perhaps another company's, where every right is given; a graph of this machine would take foreign names for its 10.0.0.0/8. Whoever means it writes it.
/// KUBECONFIG is looked at, because it is set on purpose for what this shell starts.
pub fn choose(
    asked: &Asked,
    env: impl Fn(&str) -> Option<OsString>,
    is_there: impl Fn(&Path) -> bool,
) -> Choice {
    let named = |source, why: &str| Choice {
        source,
        why: why.into(),
        must: true,
    };
    match asked {
        Asked::Off => named(Source::Off, "it is switched off"),
        Asked::InCluster => named(Source::InCluster, "it was asked for"),
        Asked::Kubeconfig(path) => {
            named(Source::Kubeconfig(vec![path.clone()]), "it was asked for")
        }
        Asked::Auto => auto(env, is_there),
    }
}

fn auto(env: impl Fn(&str) -> Option<OsString>, is_there: impl Fn(&Path) -> bool) -> Choice {
    let found = |source, why: String| Choice {
        source,
        why,
        must: false,
    };
    let is_set = |name: &str| env(name).filter(|value| !value.is_empty());
    let in_cluster = is_set("KUBERNETES_SERVICE_HOST").is_some();
    if in_cluster && is_there(&Path::new(ACCOUNT).join("token")) {
        let why = "this is a container of a cluster, with a service account's token";
        return found(Source::InCluster, why.into());
    }
    if let Some(files) = is_set("KUBECONFIG") {
        let why = format!("KUBECONFIG is {}", files.display());
        let files = std::env::split_paths(&files).filter(|file| !file.as_os_str().is_empty());
        return found(Source::Kubeconfig(files.collect()), why);
    }
    let why = if in_cluster {
        format!("this container of a cluster has no token in {ACCOUNT}, and KUBECONFIG is not set")
    } else {
        "this is no container of a cluster, and KUBECONFIG is not set".into()
    };
    found(Source::Off, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_CLUSTER: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");

    fn auto(vars: &[(&str, &str)], token: bool) -> Choice {
        let env = |name: &str| {
            let var = vars.iter().find(|(known, _)| *known == name);
            var.map(|(_, value)| value.into())
        };
        let is_there = |path: &Path| token && path.ends_with("serviceaccount/token");
        choose(&Asked::Auto, env, is_there)
    }

    #[test]
    fn what_is_asked_for_is_a_word_or_a_file() {
        let asked = |text: &str| text.parse::<Asked>().unwrap();
        assert_eq!(asked("auto"), Asked::Auto);
        assert_eq!(asked("off"), Asked::Off);
        assert_eq!(asked("in-cluster"), Asked::InCluster);
        assert_eq!(asked("./off"), Asked::Kubeconfig("./off".into()));
    }

    #[test]
    fn a_container_of_a_cluster_watches_that() {
        let chosen = auto(&[IN_CLUSTER, ("KUBECONFIG", "/a")], true);
        assert_eq!(chosen.source, Source::InCluster);
        assert!(!chosen.must);
    }

    #[test]
    fn a_container_without_a_token_watches_none_and_says_why() {
        let chosen = auto(&[IN_CLUSTER], false);
        assert_eq!(chosen.source, Source::Off);
        assert!(chosen.why.contains("no token"), "{}", chosen.why);
    }

    #[test]
    fn kubeconfig_is_watched_and_the_home_folder_is_not() {
        let chosen = auto(&[("KUBECONFIG", "/a:/b:"), ("HOME", "/root")], false);
        let files = vec!["/a".into(), "/b".into()];
        assert_eq!(chosen.source, Source::Kubeconfig(files));
        assert!(chosen.why.contains("/a:/b"), "{}", chosen.why);
        for vars in [&[("HOME", "/root")][..], &[("KUBECONFIG", "")]] {
            assert_eq!(auto(vars, true).source, Source::Off);
        }
    }

    #[test]
    fn what_is_named_must_be() {
        let none = |_: &str| None;
        let asked = Asked::Kubeconfig("/a".into());
        let chosen = choose(&asked, none, |_| false);
        assert_eq!(chosen.source, Source::Kubeconfig(vec!["/a".into()]));
        assert!(chosen.must);
        assert_eq!(choose(&Asked::Off, none, |_| true).source, Source::Off);
    }
}
