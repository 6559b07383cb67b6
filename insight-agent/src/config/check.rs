//! Text → typed value, or why not and what would do. Pure, but for the cgroup root, which has to be there.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use tonic::codegen::http::Uri;
use tonic::transport::Endpoint;
use tracing_subscriber::EnvFilter;

use super::setting::DEFAULT_PIN_DIR;
use crate::cgroups::Mounts;
use crate::kernel::{Dialing, Udp};

/// Shorter would spend more on reading than on counting.
pub(crate) const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Longer would leave the graph's last quarter of an hour empty.
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(600);

const MIN_IDLE: Duration = Duration::from_secs(1);
const MAX_IDLE: Duration = Duration::from_secs(24 * 3_600);

/// Fewer would lump together what a single program talks to.
const MIN_FLOWS: u32 = 16;
/// At about 340 bytes each this is 1.4 GiB of kernel memory.
const MAX_FLOWS: u32 = 4_194_304;

/// Kubernetes' limit for a node's name, which is a DNS subdomain.
const MAX_NODE_NAME: usize = 253;

pub(super) fn aggregator(url: &str) -> Result<String, String> {
    const WANTED: &str = "it must be http://HOST:PORT, for example http://127.0.0.1:7701";
    let uri: Uri = url.parse().map_err(|error| format!("{error}; {WANTED}"))?;
    let problem = match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        (None, ..) => Some("the scheme http:// is missing"),
        (Some("http"), None | Some(""), _) => Some("the host is missing"),
        (Some("http"), Some(_), None) => Some("the port is missing"),
        (Some("http"), Some(_), Some(_)) => None,
        (Some("https"), ..) => Some("TLS is not supported yet"),
        (Some(_), ..) => Some("the scheme is not http"),
    };
    if let Some(problem) = problem {
        return Err(format!("{problem}; {WANTED}"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(format!("there is no path on an aggregator; {WANTED}"));
    }
    Endpoint::from_shared(url.to_owned()).map_err(|error| format!("{error}; {WANTED}"))?;
    Ok(url.to_owned())
}

pub(super) fn node_name(name: &str) -> Result<String, String> {
    const HINT: &str = "give the node a name with --node-name";
    if name.is_empty() {
        return Err(format!("this host has no name; {HINT}"));
    }
    if name.len() > MAX_NODE_NAME {
        return Err(format!("it is longer than {MAX_NODE_NAME} bytes; {HINT}"));
    }
    // Names of nodes are parts of ids such as "unit:<node>/nginx.service".
    if name
        .chars()
        .any(|c| c == '/' || c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "a node's name holds no `/` and no white space; {HINT}"
        ));
    }
    Ok(name.to_owned())
}

/// The root and the cgroup v2 mount that it lies in; empty text is the mount itself.
pub(super) fn cgroup_root(root: &str, mounts: &Mounts) -> Result<(PathBuf, PathBuf), String> {
    let default = mounts.default_v2().map_err(|error| error.to_string())?;
    if root.is_empty() {
        return Ok((default.to_owned(), default.to_owned()));
    }
    let hint = |from: &Path| {
        let inside = default.join(root.trim_start_matches('/'));
        if inside.is_dir() && inside != from {
            format!("did you mean {}?", inside.display())
        } else {
            format!(
                "give a directory in {}, the cgroup v2 mount",
                default.display()
            )
        }
    };
    let path = Path::new(root);
    let real = std::fs::canonicalize(path).map_err(|error| format!("{error}; {}", hint(path)))?;
    if !real.is_dir() {
        return Err(format!("it is not a directory; {}", hint(path)));
    }
    let Some(mount) = mounts.v2_of(&real) else {
        let in_v1 = mounts.v1.iter().any(|mount| real.starts_with(&mount.point));
        let what = if in_v1 {
            "it lies in a cgroup v1 hierarchy, and sockets are owned by cgroup v2 directories"
        } else {
            "it is not in a cgroup v2 mount"
        };
        return Err(format!("{what}; {}", hint(path)));
    };
    Ok((real.clone(), mount.to_owned()))
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    const WANTED: &str = "it must be a time from 100ms to 10m, for example 500ms, 5s or 1m";
    time(text, MIN_INTERVAL..=MAX_INTERVAL, WANTED)
}

pub(super) fn flow_idle(text: &str) -> Result<Duration, String> {
    const WANTED: &str = "it must be a time from 1s to 24h, for example 10m";
    time(text, MIN_IDLE..=MAX_IDLE, WANTED)
}

fn time(text: &str, within: RangeInclusive<Duration>, wanted: &str) -> Result<Duration, String> {
    let span: SignedDuration = text
        .trim()
        .parse()
        .map_err(|_| format!("that is no time with a unit; {wanted}"))?;
    match Duration::try_from(span) {
        Ok(time) if time < *within.start() => Err(format!("too short; {wanted}")),
        Ok(time) if time > *within.end() => Err(format!("too long; {wanted}")),
        Ok(time) => Ok(time),
        Err(_) => Err(format!("negative; {wanted}")),
    }
}

pub(super) fn prefix(text: &str, most: u8, example: &str) -> Result<u8, String> {
    match text.trim().parse() {
        Ok(bits) if (1..=most).contains(&bits) => Ok(bits),
        _ => Err(format!(
            "it must be a number of bits from 1 to {most}, for example {example}"
        )),
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it must be an IP address and a port, for example 127.0.0.1:7702, 0.0.0.0:7702 or [::]:7702"
            .to_owned()
    })
}

pub(super) fn max_flows(text: &str) -> Result<u32, String> {
    let wanted = format!("it must be a whole number from {MIN_FLOWS} to {MAX_FLOWS}");
    match text.trim().parse() {
        Ok(flows) if (MIN_FLOWS..=MAX_FLOWS).contains(&flows) => Ok(flows),
        _ => Err(wanted),
    }
}

pub(super) fn udp(text: &str) -> Result<Udp, String> {
    match text {
        "off" => Ok(Udp::Off),
        "edges" => Ok(Udp::Edges),
        "bytes" => Ok(Udp::Bytes),
        _ => Err("it must be off, edges or bytes".to_owned()),
    }
}

/// `off` is no folder. That it lies in a BPF file system is seen when it is opened.
pub(super) fn pin_dir(text: &str) -> Result<Option<PathBuf>, String> {
    match text {
        "off" => Ok(None),
        path if Path::new(path).is_absolute() => Ok(Some(path.into())),
        _ => Err(format!(
            "it must be an absolute path in a BPF file system, for example {DEFAULT_PIN_DIR}, or 'off'"
        )),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim() {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("it must be 'on' or 'off'".to_owned()),
    }
}

pub(super) fn dialed(text: &str) -> Result<Dialing, String> {
    match text {
        "auto" => Ok(Dialing::Auto),
        "on" => Ok(Dialing::On),
        "off" => Ok(Dialing::Off),
        _ => Err("it must be 'auto', 'on' or 'off'".to_owned()),
    }
}

pub(super) fn log(text: &str) -> Result<String, String> {
    const WANTED: &str = "it must be a filter, for example info, debug or insight_agent=debug,warn";
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}; {WANTED}")),
    }
}
