//! What runs of the cluster, for people, and what is amiss.

use anyhow::{Result, ensure};

use super::layout::{self, HOST, HOST_V6, NODES, STATE};
use super::{component::Component, control, kubectl, network, node};

/// What a look at the cluster found.
pub(crate) struct Status {
    /// What to show, line by line
    lines: Vec<String>,
    /// Why it is not up; empty when it is
    problems: Vec<String>,
}

impl Status {
    /// Looks. Takes a second or two when it is up, less when it is not.
    pub(crate) fn look() -> Self {
        let mut status = Self {
            lines: Vec::new(),
            problems: Vec::new(),
        };
        if !network::has_wall() {
            status.problems.push("its network is not there".to_owned());
        }
        let of_nodes = NODES.iter().flat_map(|one| {
            let names = node::COMPONENTS.iter();
            names.map(|name| node::component(one, name))
        });
        for component in control::COMPONENTS
            .into_iter()
            .map(Component::new)
            .chain(of_nodes)
        {
            let state = match component.running() {
                Some(id) => format!("runs, process {id}"),
                None => {
                    status
                        .problems
                        .push(format!("{} does not run", component.name()));
                    "does not run".to_owned()
                }
            };
            status.lines.push(format!("{:28}{state}", component.name()));
        }
        if status.problems.is_empty() {
            status.nodes();
        }
        status
    }

    fn nodes(&mut self) {
        let nodes = match kubectl::nodes() {
            Ok(nodes) => nodes,
            Err(error) => return self.problems.push(format!("{error:#}")),
        };
        for node in &NODES {
            let found = nodes.iter().find(|(name, _)| name == node.name);
            let state = match found {
                Some((_, Ok(version))) => format!("Ready, Kubernetes {version}"),
                Some((_, Err(reason))) => {
                    self.problems.push(format!("{}: {reason}", node.name));
                    format!("not ready: {reason}")
                }
                None => {
                    self.problems.push(format!("{} is not known", node.name));
                    "not known to the API server".to_owned()
                }
            };
            let (name, zone, address) = (node.name, node.zone, node.address());
            self.lines
                .push(format!("{name:28}{address}, {zone}, {state}"));
        }
        if !kubectl::available("kube-system", "coredns") {
            self.problems.push("CoreDNS is not available".to_owned());
        }
    }

    /// Whether all of it is there.
    pub(crate) fn is_up(&self) -> bool {
        self.problems.is_empty()
    }

    /// The first thing that is amiss.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problems.first().map(String::as_str)
    }
}

/// `cargo xtask cluster status`.
pub(crate) fn run() -> Result<()> {
    let status = Status::look();
    for line in &status.lines {
        println!("{line}");
    }
    ensure!(
        status.is_up(),
        "the cluster is not up: {}; 'cargo xtask cluster up' starts what is missing",
        status.problems.join("; ")
    );
    println!("{}", usage());
    Ok(())
}

/// How to use what is up.
pub(crate) fn usage() -> String {
    let (kubeconfig, programs) = (layout::kubeconfig(), layout::programs());
    format!(
        "\n\
         export KUBECONFIG={kubeconfig} PATH={programs}:$PATH\n\
         kubectl get pods -A -o wide\n\
         \n\
         this machine, as nodes and pods reach it: {HOST}, {HOST_V6} (an aggregator listens there: --grpc {HOST}:7701)\n\
         on a node, as a process of its own:       cargo xtask cluster enter node-a -- insight-agent run --aggregator http://{HOST}:7701 --node-name node-a\n\
         an image on all nodes:                    cargo xtask cluster image demo:1 FOLDER -- /program (pods: image localhost/demo:1, imagePullPolicy Never)\n\
         logs of its components:                   {STATE}/log",
        kubeconfig = kubeconfig.display(),
        programs = programs.display(),
    )
}
