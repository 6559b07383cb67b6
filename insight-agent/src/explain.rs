//! `explain`: how a cgroup is named, and why. The question that everybody asks when a name is wrong.

mod lookup;
mod why;

use std::io::Write;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::cgroups::{Identity, Mounts};
use lookup::Answer;

/// The answer as JSON; every key is always there.
#[derive(Debug, Serialize)]
struct Json<'a> {
    path: &'a str,
    level: &'static str,
    pod_uid: Option<&'a str>,
    container_id: Option<&'a str>,
    runtime: Option<&'static str>,
    qos: Option<&'static str>,
    unit: Option<&'a str>,
}

/// Writes an answer for each of `what` to `out`: text, or one JSON object a line. A path is answered from its text; a
/// process id from `/proc/<pid>/cgroup`; 12 or more digits of a container id from the cgroup directories of this host.
/// What has no answer does not keep the others from theirs; the error then names all that failed.
pub fn explain(what: &[String], json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    // A path needs no mounts, so that paths from other hosts can be explained anywhere.
    explain_with(what, json, &Mounts::read().unwrap_or_default(), out)
}

fn explain_with(
    what: &[String],
    json: bool,
    mounts: &Mounts,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    let mut answered = 0;
    for item in what {
        match lookup::look_up(item, mounts) {
            Ok(answer) => {
                let separate = !json && answered > 0;
                let text = if json {
                    line(&answer)?
                } else {
                    why::text(&answer)
                };
                let text = if separate { format!("\n{text}") } else { text };
                out.write_all(text.as_bytes())
                    .context("cannot write the answer")?;
                answered += 1;
            }
            Err(error) => failures.push(format!("{item}: {error:#}")),
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}", failures.join("\n"))
}

fn line(answer: &Answer) -> anyhow::Result<String> {
    let Identity {
        level,
        pod_uid,
        container_id,
        runtime,
        qos,
        unit,
        ..
    } = &answer.identity;
    let json = Json {
        path: &answer.path,
        level: level.as_str(),
        pod_uid: pod_uid.as_deref(),
        container_id: container_id.as_deref(),
        runtime: runtime.map(|r| r.as_str()),
        qos: qos.map(|q| q.as_str()),
        unit: unit.as_deref(),
    };
    let mut line = serde_json::to_string(&json).context("cannot write JSON")?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
#[path = "explain/tests.rs"]
mod tests;
