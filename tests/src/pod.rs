//! Fake pods: to the kernel and to Insight, a network namespace and a kubepods-style cgroup are a pod.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cgroup::{Cgroup, CgroupRoot};
use crate::ids;
use crate::net::{Addresses, Namespace, Net};
use crate::process::{Place, Process};
use crate::wait::PATIENCE;

/// How the kubelet names cgroups.
#[derive(Clone, Copy, Debug, Default)]
pub enum Driver {
    /// `/kubepods/burstable/pod<uid>/<container>`.
    #[default]
    Cgroupfs,
    /// `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<container>.scope`.
    Systemd,
}

impl Driver {
    fn pod_path(self, uid: &str) -> String {
        match self {
            Self::Cgroupfs => format!("kubepods/burstable/pod{uid}"),
            Self::Systemd => format!(
                "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
                uid.replace('-', "_")
            ),
        }
    }

    fn container_name(self, id: &str) -> String {
        match self {
            Self::Cgroupfs => id.to_owned(),
            Self::Systemd => format!("cri-containerd-{id}.scope"),
        }
    }
}

/// A container of a pod: a cgroup.
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its cgroup.
    pub cgroup: Cgroup,
    /// Its path below the v2 mount, with a leading `/`.
    pub path: String,
}

impl Container {
    /// Its node's id in a graph at container level.
    pub fn node_id(&self) -> String {
        format!("container:{}", self.id)
    }
}

/// A pod with one container; more on request.
pub struct Pod {
    /// Its UID.
    pub uid: String,
    /// Its addresses.
    pub addresses: Addresses,
    /// Its network namespace.
    pub namespace: Namespace,
    /// Its first container.
    pub container: Container,
    driver: Driver,
}

impl Pod {
    /// Makes one on `net`, below `root`, named as by the cgroupfs driver.
    pub fn new(net: &Net, root: &CgroupRoot) -> Result<Self> {
        Self::with_driver(net, root, Driver::Cgroupfs)
    }

    /// Makes one on `net`, below `root`.
    pub fn with_driver(net: &Net, root: &CgroupRoot, driver: Driver) -> Result<Self> {
        let uid = ids::pod_uid();
        let container = make_container(root, driver, &uid)?;
        let namespace = Namespace::new()?;
        let addresses = net.attach(&namespace)?;
        Ok(Self {
            uid,
            addresses,
            namespace,
            container,
            driver,
        })
    }

    /// Adds a container, which shares the pod's network namespace.
    pub fn add_container(&self, root: &CgroupRoot) -> Result<Container> {
        make_container(root, self.driver, &self.uid)
    }

    /// Its node's id in a graph at workload level.
    pub fn node_id(&self) -> String {
        format!("pod:{}", self.uid)
    }

    /// The kernel's own count of something in the pod's network namespace, from /proc/net/netstat: for each group a line of names and a line
    /// of numbers.
    pub fn kernel_count(&self, group: &str, name: &str) -> Result<u64> {
        let mut netstat = Command::new("grep");
        netstat.args([&format!("^{group}:"), "/proc/net/netstat"]);
        let mut process = self.spawn("grep", netstat)?;
        let (names, numbers) = (process.line(PATIENCE)?, process.line(PATIENCE)?);
        process.finish(PATIENCE)?;
        let mut pairs = names.split(' ').zip(numbers.split(' '));
        let (_, count) = pairs
            .find(|(found, _)| *found == name)
            .with_context(|| format!("no {name} in {names}"))?;
        Ok(count.parse()?)
    }

    /// Starts a process in the first container.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        self.spawn_in(&self.container, name, command)
    }

    /// Starts a process in one of the pod's containers.
    pub fn spawn_in(&self, container: &Container, name: &str, command: Command) -> Result<Process> {
        let place = Place {
            netns: Some(self.namespace.open()?),
            cgroups: container.cgroup.entrances()?,
        };
        Process::start(name, command, place)
    }
}

fn make_container(root: &CgroupRoot, driver: Driver, uid: &str) -> Result<Container> {
    let id = ids::container_id();
    let below = format!("{}/{}", driver.pod_path(uid), driver.container_name(&id));
    Ok(Container {
        cgroup: root.make(&below)?,
        path: format!("/{}/{below}", root.name()),
        id,
    })
}
