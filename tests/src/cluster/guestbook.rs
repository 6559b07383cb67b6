//! The guestbook of Kubernetes' examples: visitors, a frontend, a redis leader and its followers, each of two on both nodes.

use anyhow::{Context, Result, ensure};

use super::{Namespace, image, packages};
use crate::load::guestbook::Done;
use crate::load::tally::Tally;
use crate::wait::{PATIENCE, eventually};

/// Where the frontend listens; its Service is at port 80.
pub const FRONTEND: u16 = 7077;
/// Where the leader listens, and its Service.
pub const LEADER: u16 = 7079;
/// Where followers listen, and their Service.
pub const FOLLOWER: u16 = 7078;

const LOAD_IMAGE: &str = "insight-load:guestbook";
const REDIS_IMAGE: &str = "redis:guestbook";
const REDIS: &str = "/usr/bin/redis-server";

/// A running guestbook, which ends with its namespace.
pub struct Guestbook<'a> {
    namespace: &'a Namespace<'a>,
}

/// What all visitors and all frontends say that they did.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// The visitors' own counts.
    pub visitors: Tally,
    /// The frontends' own counts.
    pub frontends: Done,
    /// Followers that the leader has accepted, each by one connection.
    pub followings: u64,
}

impl<'a> Guestbook<'a> {
    /// Starts redis and the frontend, and waits until both followers follow and all are ready.
    pub fn start(namespace: &'a Namespace<'a>) -> Result<Self> {
        image::of_program(LOAD_IMAGE, "insight-load")?;
        packages::image_of(REDIS_IMAGE, "redis-server", &[REDIS])?;
        namespace.apply(&leader())?;
        let guestbook = Self { namespace };
        // A follower that does not find the leader at once would try again, how often nobody says.
        guestbook.rolled_out("statefulset/redis-leader")?;
        namespace.apply(&followers())?;
        guestbook.rolled_out("deployment/redis-follower")?;
        eventually(PATIENCE, "two followers", || {
            let followings = guestbook.followings()?;
            ensure!(followings == 2, "{followings} have come");
            Ok(())
        })?;
        namespace.apply(&frontend())?;
        guestbook.rolled_out("deployment/frontend")?;
        Ok(guestbook)
    }

    /// Two visitors begin, one on each node.
    pub fn visit(&self, visits: u64, rate: f64) -> Result<()> {
        self.namespace.apply(&visitors(visits, rate))
    }

    /// Waits until both visitors have visited so often, and gives what everybody says.
    pub fn truth(&self, visits: u64) -> Result<Truth> {
        let visitors = eventually(PATIENCE, "the visitors", || {
            let logs = self.logs("visitor")?;
            let tallies: Vec<Tally> = logs.lines().map(Tally::from_json).collect::<Result<_>>()?;
            ensure!(tallies.len() == 2, "{} are done", tallies.len());
            Ok(tallies.into_iter().fold(Tally::default(), |a, b| a + b))
        })?;
        ensure!(visitors.connections == 2 * visits, "{visitors:?}");
        Ok(Truth {
            visitors,
            frontends: Done::of_log(&self.logs("frontend")?)?,
            followings: self.followings()?,
        })
    }

    /// How often the leader says that a follower has come.
    fn followings(&self) -> Result<u64> {
        let log = self.logs("redis-leader")?;
        let come = log
            .lines()
            .filter(|line| line.contains("asks for synchronization"));
        Ok(u64::try_from(come.count())?)
    }

    fn logs(&self, app: &str) -> Result<String> {
        let selector = format!("app={app}");
        let words = ["logs", "--selector", &selector, "--tail=-1"];
        self.namespace.kubectl(&words)
    }

    fn rolled_out(&self, what: &str) -> Result<()> {
        let words = ["rollout", "status", what, "--timeout=50s"];
        let done = eventually(PATIENCE, what, || self.namespace.kubectl(&words));
        done.map(drop).with_context(|| {
            let about = self.namespace.kubectl(&["describe", "pods"]);
            about.unwrap_or_default()
        })
    }
}

/// A pod's template: one container, on another node than the last one of its kind, with this probe.
fn template(app: &str, image: &str, command: &[&str], probe: &str) -> String {
    let command = command
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "
  selector:
    matchLabels: {{app: {app}}}
  template:
    metadata:
      labels: {{app: {app}}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 0
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector:
            matchLabels: {{app: {app}}}
      containers:
        - name: {app}
          image: localhost/{image}
          imagePullPolicy: Never
          command: [{command}]{probe}
"
    )
}

fn probe(how: &str) -> String {
    format!("\n          readinessProbe: {{{how}, periodSeconds: 2, timeoutSeconds: 5}}")
}

fn service(name: &str, port: u16, target: u16) -> String {
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: {port}, targetPort: {target}}}]
"
    )
}

fn workload(kind: &str, name: &str, replicas: u32, template: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}{template}"
    )
}

fn redis(app: &str, port: u16, more: &[&str]) -> String {
    let port_text = port.to_string();
    let own = [
        REDIS,
        "--port",
        &port_text,
        "--protected-mode",
        "no",
        "--save",
        "",
        "--repl-diskless-sync-delay",
        "0",
        // Longer than any test: nobody follows anew because a busy machine kept it waiting.
        "--repl-timeout",
        "3600",
    ];
    let probe = probe(&format!("tcpSocket: {{port: {port}}}"));
    template(app, REDIS_IMAGE, &[&own[..], more].concat(), &probe)
}

fn leader() -> String {
    let template = redis("redis-leader", LEADER, &[]);
    workload("StatefulSet", "redis-leader", 1, &template) + &service("redis-leader", LEADER, LEADER)
}

fn followers() -> String {
    let follow = ["--replicaof", "redis-leader", &LEADER.to_string()];
    let template = redis("redis-follower", FOLLOWER, &follow);
    workload("Deployment", "redis-follower", 2, &template)
        + &service("redis-follower", FOLLOWER, FOLLOWER)
}

fn frontend() -> String {
    let command = [
        "/insight-load",
        "frontend",
        "--listen",
        &format!("0.0.0.0:{FRONTEND}"),
        "--leader",
        &format!("redis-leader:{LEADER}"),
        "--followers",
        &format!("redis-follower:{FOLLOWER}"),
    ];
    let probe = probe(&format!("httpGet: {{path: /healthz, port: {FRONTEND}}}"));
    let template = template("frontend", LOAD_IMAGE, &command, &probe);
    workload("Deployment", "frontend", 2, &template) + &service("frontend", 80, FRONTEND)
}

fn visitors(visits: u64, rate: f64) -> String {
    let command = [
        "/insight-load",
        "visitor",
        "--to",
        "frontend:80",
        "--visits",
        &visits.to_string(),
        "--rate",
        &rate.to_string(),
    ];
    let template = template("visitor", LOAD_IMAGE, &command, "");
    workload("Deployment", "visitor", 2, &template)
}
