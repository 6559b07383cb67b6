//! The cluster's own kubectl.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::layout;

/// Runs it with a text as its input, and gives its answer.
pub(crate) fn kubectl(args: &[&str], input: Option<&str>) -> Result<String> {
    let shown = format!("kubectl {}", args.join(" "));
    let mut child = Command::new(layout::programs().join("kubectl"))
        .arg("--kubeconfig")
        .arg(layout::kubeconfig())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("run '{shown}'"))?;
    let mut stdin = child.stdin.take().context("standard input is piped")?;
    stdin
        .write_all(input.unwrap_or_default().as_bytes())
        .with_context(|| format!("write to '{shown}'"))?;
    drop(stdin);
    let output = child.wait_with_output().context("wait for kubectl")?;
    ensure!(
        output.status.success(),
        "'{shown}' failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the API server says that it is ready.
pub(crate) fn api_ready() -> bool {
    kubectl(&["get", "--raw", "/readyz", "--request-timeout=5s"], None).is_ok()
}

/// Each node that the API server knows: its name, and why it is not ready or that it is.
pub(crate) fn nodes() -> Result<Vec<(String, Result<String, String>)>> {
    let text = kubectl(
        &["get", "nodes", "-o", "json", "--request-timeout=5s"],
        None,
    )?;
    let nodes: Value = serde_json::from_str(&text).context("read kubectl's answer")?;
    let items = nodes["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(readiness).collect())
}

/// Whether a Deployment has all the pods that it wants, ready.
pub(crate) fn available(namespace: &str, deployment: &str) -> bool {
    let question = "jsonpath={.status.availableReplicas}/{.spec.replicas}";
    let args = [
        "get",
        "deployment",
        "-n",
        namespace,
        deployment,
        "-o",
        question,
        "--request-timeout=5s",
    ];
    kubectl(&args, None).is_ok_and(|answer| {
        answer
            .split_once('/')
            .is_some_and(|(available, wanted)| available == wanted)
    })
}

fn readiness(node: &Value) -> (String, Result<String, String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = node["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let state = match ready {
        Some(condition) if condition["status"] == "True" => {
            Ok(text(&node["status"]["nodeInfo"]["kubeletVersion"]))
        }
        Some(condition) => Err(text(&condition["message"])),
        None => Err("its kubelet has not reported yet".to_owned()),
    };
    (text(&node["metadata"]["name"]), state)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_ready_when_its_kubelet_says_so() {
        let node = |status: &str| {
            json!({"metadata": {"name": "a"}, "status": {
                "nodeInfo": {"kubeletVersion": "v1.36.3"},
                "conditions": [{"type": "DiskPressure", "status": "False"},
                               {"type": "Ready", "status": status, "message": "no network"}]}})
        };
        let name = || "a".to_owned();
        assert_eq!(readiness(&node("True")), (name(), Ok("v1.36.3".to_owned())));
        let unready = Err("no network".to_owned());
        assert_eq!(readiness(&node("False")), (name(), unready.clone()));
        assert_eq!(readiness(&node("Unknown")), (name(), unready));
        let new = json!({"metadata": {"name": "a"}});
        assert!(readiness(&new).1.is_err());
    }
}
