//! Agents as a cluster's user has them: pods of a DaemonSet, with the least rights.

use anyhow::{Context, Result};

use super::{Namespace, image};
use crate::product::Aggregator;
use crate::wait::{PATIENCE, eventually};

const IMAGE: &str = "insight-agent:test";
/// Where the agents answer HTTP in their pods.
pub const HTTP_PORT: u16 = 7702;

/// Makes the agent's image, and an agent on each node that reports to the aggregator twice a second under its node's name. Waits until
/// all are ready. They end with the namespace.
pub fn agents(namespace: &Namespace, aggregator: &Aggregator, flags: &[&str]) -> Result<()> {
    image::of_program(IMAGE, "insight-agent")?;
    namespace.apply(&manifest(&aggregator.grpc_url(), flags)?)?;
    let rollout = [
        "rollout",
        "status",
        "daemonset/insight-agent",
        "--timeout=50s",
    ];
    let ready = eventually(PATIENCE, "agents on all nodes", || {
        namespace.kubectl(&rollout)
    });
    ready.map(drop).with_context(|| {
        let log = ["logs", "daemonset/insight-agent", "--tail=20"];
        namespace.kubectl(&log).unwrap_or_default()
    })
}

/// As much as counting needs, and no more: no privileges, no hostNetwork, no hostPID, no token.
fn manifest(aggregator: &str, flags: &[&str]) -> Result<String> {
    let listen = format!("0.0.0.0:{HTTP_PORT}");
    let own = [
        "run",
        "--aggregator",
        aggregator,
        "--node-name",
        "$(NODE)",
        "--interval",
        "500ms",
        "--listen",
        &listen,
        "--pin-dir",
        "off",
    ];
    let args = serde_json::to_string(&[&own[..], flags].concat())?;
    Ok(format!(
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: insight-agent}}
spec:
  selector:
    matchLabels: {{app: insight-agent}}
  template:
    metadata:
      labels: {{app: insight-agent}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 5
      containers:
        - name: agent
          image: localhost/{IMAGE}
          imagePullPolicy: Never
          args: {args}
          env:
            - name: NODE
              valueFrom:
                fieldRef: {{fieldPath: spec.nodeName}}
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
              add: [BPF, PERFMON, NET_ADMIN]
          readinessProbe:
            httpGet: {{path: /readyz, port: {HTTP_PORT}}}
            periodSeconds: 1
          volumeMounts:
            - {{name: cgroup, mountPath: /sys/fs/cgroup, readOnly: true}}
      volumes:
        - name: cgroup
          hostPath: {{path: /sys/fs/cgroup}}
"
    ))
}
