//! The aggregator knows what the API server has, with no more rights than it needs, whatever happens to the API server.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use insight_tests::cluster::control::{ControlPlane, kubeconfig};
use insight_tests::cluster::{Cluster, Namespace};
use insight_tests::needs_root;
use insight_tests::product::{Aggregator, free_port, program, run_once};
use insight_tests::reader::http::get_ok;
use insight_tests::wait::{PATIENCE, eventually};
use rustix::process::Signal;
use tempfile::TempDir;

const ACCOUNT: &str = "insight-aggregator";

/// A number of one kind, as `/metrics` has it; none if it has none.
fn number(aggregator: &Aggregator, family: &str, kind: &str) -> Result<Option<u64>> {
    let text = get_ok(aggregator.http_port, "/metrics")?;
    let start = format!("insight_kubernetes_{family}{{kind=\"{kind}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.map(|number| number.parse().context("a number"))
        .transpose()
}

#[track_caller]
fn wait_for(aggregator: &Aggregator, family: &str, kind: &str, expected: u64) -> Result<()> {
    let what = format!("{family} of {kind} to be {expected}");
    eventually(PATIENCE, &what, || {
        let found = number(aggregator, family, kind)?;
        ensure!(found == Some(expected), "it is {found:?}");
        Ok(())
    })
    .with_context(|| aggregator.daemon.log())
}

/// The kinds that are watched, and whether each is up.
fn watches(aggregator: &Aggregator) -> Result<Vec<(String, bool)>> {
    let text = get_ok(aggregator.http_port, "/metrics")?;
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("insight_kubernetes_watch_up{kind=\""));
    lines
        .map(|line| {
            let (kind, up) = line.split_once("\"} ").context("a label")?;
            Ok((kind.to_owned(), up == "1"))
        })
        .collect()
}

/// Waits until all kinds but these are up, and these are not.
fn wait_for_all_but(aggregator: &Aggregator, down: &[&str]) -> Result<()> {
    let what = format!("all watches but {down:?}");
    eventually(PATIENCE, &what, || {
        let watches = watches(aggregator)?;
        ensure!(watches.len() >= 20, "only {watches:?}");
        for (kind, up) in watches {
            ensure!(up != down.contains(&kind.as_str()), "{kind}: {up}");
        }
        Ok(())
    })
    .with_context(|| aggregator.daemon.log())
}

fn watching(kubeconfig: &Path) -> Result<Aggregator> {
    let kubeconfig = kubeconfig.to_str().context("a path is text")?;
    Aggregator::start_with(&["--kubernetes", kubeconfig])
}

/// What `insight-aggregator rbac` prints.
fn rights(name: &str, namespace: &str) -> Result<String> {
    let mut command = std::process::Command::new(program("insight-aggregator")?);
    command.args(["rbac", "--name", name, "--namespace", namespace]);
    run_once(command)?.stdout()
}

/// Two pods that nobody runs.
const TWO_PODS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: two}
spec: {containers: [{name: main, image: none}]}
";

/// A role that was made for one test, in the cluster that all tests use.
struct Role<'a>(&'a Cluster, String);

impl Drop for Role<'_> {
    fn drop(&mut self) {
        for kind in ["clusterrole", "clusterrolebinding"] {
            if let Err(error) = self.0.kubectl(&["delete", kind, &self.1]) {
                eprintln!("left behind: {error:#}");
            }
        }
    }
}

#[test]
fn the_printed_rights_are_all_that_it_needs_on_the_real_cluster() -> Result<()> {
    needs_root!("the printed rights are all that it needs on the real cluster");
    let cluster = Cluster::obtain()?;
    let namespace = Namespace::new(&cluster)?;
    let name = namespace.name.clone();
    namespace.kubectl(&["create", "serviceaccount", &name])?;
    let role = Role(&cluster, name.clone());
    namespace.apply(&rights(&name, &namespace.name)?)?;
    let token = namespace.kubectl(&["create", "token", &name])?;
    let admin = ["config", "view", "--raw", "--minify", "-o"];
    let of_cluster = |field: &str| {
        let path = format!("jsonpath={{.clusters[0].cluster.{field}}}");
        cluster.kubectl(&[&admin[..], &[&path]].concat())
    };
    let authority = of_cluster("certificate-authority-data")?;
    let authority = format!("certificate-authority-data: {authority}");
    let folder = TempDir::new()?;
    let path = folder.path().join("kubeconfig");
    let text = kubeconfig(&of_cluster("server")?, &authority, token.trim());
    std::fs::write(&path, text)?;

    let aggregator = watching(&path)?;
    wait_for_all_but(&aggregator, &[])?;
    for (kind, resource) in [("Node", "nodes"), ("ConfigMap", "configmaps")] {
        let all = cluster.get(&[resource, "--all-namespaces"])?;
        let all = all["items"].as_array().context("a list")?.len();
        wait_for(&aggregator, "objects", kind, all as u64)?;
    }
    let log = aggregator.daemon.log();
    ensure!(!log.contains("refuses"), "{log}");

    let account = format!("--as=system:serviceaccount:{}:{name}", namespace.name);
    let may = |verb: &str, what: &str| -> Result<bool> {
        let asked = ["auth", "can-i", verb, what, "--all-namespaces", &account];
        Ok(cluster.try_kubectl(&asked)?.code == Some(0))
    };
    ensure!(may("list", "pods")? && may("watch", "events.events.k8s.io")?);
    for (verb, what) in [
        ("list", "secrets"),
        ("get", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
    ] {
        ensure!(!may(verb, what)?, "it may {verb} {what}");
    }
    drop(role);
    Ok(())
}

#[test]
fn a_refused_kind_is_said_and_the_others_go_on() -> Result<()> {
    needs_root!("a refused kind is said and the others go on");
    let control = ControlPlane::start(&Cluster::obtain()?)?;
    control.kubectl(&["create", "namespace", "insight"])?;
    control.kubectl(&["-n", "insight", "create", "serviceaccount", ACCOUNT])?;
    let all = rights(ACCOUNT, "insight")?;
    let less = all.replace("\"deployments\", ", "");
    ensure!(less != all, "{all}");
    control.apply(&less)?;
    let kubeconfig = control.kubeconfig_of_account("insight", ACCOUNT)?;

    let aggregator = watching(&kubeconfig)?;
    wait_for_all_but(&aggregator, &["Deployment"])?;
    let log = aggregator.daemon.log();
    let said = log
        .lines()
        .filter(|line| line.contains("refuses this kind"));
    let said: Vec<&str> = said.collect();
    ensure!(said.len() == 1, "{log}");
    ensure!(
        said[0].contains("deployments.apps is forbidden"),
        "{said:?}"
    );

    control.apply(&all)?;
    wait_for_all_but(&aggregator, &[])
}

#[test]
fn what_happened_while_the_api_server_was_away_is_caught_up_with() -> Result<()> {
    needs_root!("what happened while the API server was away is caught up with");
    let mut control = ControlPlane::start(&Cluster::obtain()?)?;
    control.apply(TWO_PODS)?;
    let aggregator = watching(&control.kubeconfig())?;
    wait_for(&aggregator, "objects", "Pod", 2)?;
    wait_for_all_but(&aggregator, &[])?;

    control.kill_server()?;
    wait_for(&aggregator, "watch_up", "Pod", 0)?;
    get_ok(aggregator.http_port, "/readyz")?;
    control.start_server_at(control.port)?;
    control.kubectl(&["delete", "pod", "one", "--grace-period=0", "--force"])?;
    wait_for(&aggregator, "objects", "Pod", 1)?;
    wait_for_all_but(&aggregator, &[])?;
    let log = aggregator.daemon.log();
    ensure!(log.contains("Kubernetes is not heard"), "{log}");
    Ok(())
}

#[test]
fn changes_that_are_no_longer_kept_are_listed() -> Result<()> {
    needs_root!("changes that are no longer kept are listed");
    let mut control = ControlPlane::start(&Cluster::obtain()?)?;
    control.apply(TWO_PODS)?;
    let aggregator = watching(&control.kubeconfig())?;
    wait_for(&aggregator, "objects", "Pod", 2)?;
    wait_for_all_but(&aggregator, &[])?;
    wait_for(&aggregator, "lists_total", "Pod", 1)?;

    // Another API server has the same store; the first one, started anew, keeps nothing of what was before its start.
    let port = control.port;
    control.kill_server()?;
    control.start_server_at(free_port()?)?;
    control.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"])?;
    control.apply("{apiVersion: v1, kind: Pod, metadata: {name: three}, spec: {containers: [{name: main, image: none}]}}")?;
    control.kill_server()?;
    control.start_server_at(port)?;

    wait_for(&aggregator, "objects", "Pod", 1)?;
    wait_for_all_but(&aggregator, &[])?;
    let lists = number(&aggregator, "lists_total", "Pod")?;
    ensure!(lists == Some(2), "lists: {lists:?}");
    Ok(())
}

#[test]
fn a_store_of_another_history_is_listed() -> Result<()> {
    needs_root!("a store of another history is listed");
    let mut control = ControlPlane::start(&Cluster::obtain()?)?;
    // Far ahead of what comes after it.
    for _ in 0..3 {
        control.apply(TWO_PODS)?;
        control.kubectl(&["label", "pods", "--all", "a=b"])?;
        control.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"])?;
    }
    control.apply(TWO_PODS)?;
    let aggregator = watching(&control.kubeconfig())?;
    wait_for(&aggregator, "objects", "Pod", 2)?;
    wait_for_all_but(&aggregator, &[])?;

    control.begin_anew()?;
    wait_for(&aggregator, "objects", "Pod", 0)?;
    wait_for_all_but(&aggregator, &[])?;
    control.apply("{apiVersion: v1, kind: Pod, metadata: {name: three}, spec: {containers: [{name: main, image: none}]}}")?;
    wait_for(&aggregator, "objects", "Pod", 1)
}

#[test]
fn an_api_server_that_hangs_is_noticed() -> Result<()> {
    needs_root!("an API server that hangs is noticed");
    let control = ControlPlane::start(&Cluster::obtain()?)?;
    control.apply(TWO_PODS)?;
    let aggregator = watching(&control.kubeconfig())?;
    wait_for_all_but(&aggregator, &[])?;

    // The kernel goes on to acknowledge what it is sent, as it would for one behind a dead load balancer.
    control.signal_server(Signal::STOP)?;
    let noticed = wait_for(&aggregator, "watch_up", "Pod", 0);
    control.signal_server(Signal::CONT)?;
    noticed?;
    wait_for_all_but(&aggregator, &[])?;
    control.kubectl(&["delete", "pod", "one", "--grace-period=0", "--force"])?;
    wait_for(&aggregator, "objects", "Pod", 1)
}

/// A kind that Kubernetes itself knows nothing of.
const ROLLOUTS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

#[test]
fn a_controller_of_an_unknown_kind_is_watched_once_it_is_met() -> Result<()> {
    needs_root!("a controller of an unknown kind is watched once it is met");
    let control = ControlPlane::start(&Cluster::obtain()?)?;
    let aggregator = watching(&control.kubeconfig())?;
    wait_for_all_but(&aggregator, &[])?;

    control.apply(ROLLOUTS)?;
    control.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/rollouts.example.com",
    ])?;
    control.apply("{apiVersion: example.com/v1alpha1, kind: Rollout, metadata: {name: web, namespace: default}}")?;
    let kind = "Rollout.example.com";
    ensure!(
        number(&aggregator, "objects", kind)?.is_none(),
        "nobody is owned by it"
    );

    let uid = control.kubectl(&["get", "rollout", "web", "-o", "jsonpath={.metadata.uid}"])?;
    control.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata:
  name: web-1
  ownerReferences: [{{apiVersion: example.com/v1alpha1, kind: Rollout, name: web, uid: {uid}, controller: true}}]
spec: {{containers: [{{name: main, image: none}}]}}
"
    ))?;
    wait_for(&aggregator, "watch_up", kind, 1)?;
    wait_for(&aggregator, "objects", kind, 1)?;
    control.kubectl(&["delete", "rollout", "web", "--cascade=background"])?;
    wait_for(&aggregator, "objects", kind, 0)
}
