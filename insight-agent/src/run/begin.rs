//! How an agent begins: with counts of its own, or with those that an agent before has left in the kernel.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use insight_ebpf::abi::State;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::scope::Scope;
use super::session::Session;
use crate::config::{Config, DEFAULT_PIN_DIR};
use crate::kernel::{Dialing, Found, LoadOptions, NoBpfFs, Pins, Udp, remove_pins};
use crate::status::{Pinned, Status};

/// How long an agent tries to report what was counted by programs that it is to replace.
const DRAIN: Duration = Duration::from_secs(10);

/// What runs.
pub(super) struct Begun {
    /// Counts and reports.
    pub(super) session: Session,
    /// The lock on the pins.
    _pins: Option<Pins>,
}

/// Takes over what runs already, or loads the programs.
pub(super) async fn begin(
    config: &Config,
    status: &Status,
    stop: &CancellationToken,
) -> Result<Begun> {
    let (pins, reason) = open(config)?;
    let wanted = wanted(config)?;
    let mut resume = false;
    let found = pins.as_ref().map(Pins::found).transpose()?;
    for found in found.unwrap_or_default() {
        let is_current = pins
            .as_ref()
            .is_some_and(|pins| pins.current() == found.folder);
        if is_current && is_same(&found.state, &wanted) {
            resume = true;
        } else {
            replace(config, &found).await?;
        }
        if stop.is_cancelled() {
            break;
        }
    }
    let options = LoadOptions {
        scope_cgroup: wanted.scope_cgroup,
        scope_level: wanted.scope_level,
        cgroup_root: Some(config.cgroup_root.clone()),
        udp: config.udp,
        every_mode: false,
        max_flows: wanted.max_flows,
        prefixes: (wanted.prefix_v4, wanted.prefix_v6),
        btf: super::btf_path(),
        pins: pins.as_ref().map(Pins::current),
        resume,
        sched: config.sched,
        dialing: config.dialed,
    };
    let folder = options.pins.clone();
    let session = Session::start(config, status, options, wanted).await?;
    status.set_pinned(Pinned {
        folder,
        reason,
        counting_since: session.epoch(),
    });
    Ok(Begun {
        session,
        _pins: pins,
    })
}

/// The pins, or why there are none. Where nobody asked for them, an agent without is better than none.
fn open(config: &Config) -> Result<(Option<Pins>, Option<String>)> {
    let Some(folder) = &config.pin_dir else {
        return Ok((None, Some("--pin-dir is off".to_owned())));
    };
    let is_default = folder.as_os_str() == DEFAULT_PIN_DIR;
    match Pins::open(folder) {
        Ok(pins) => Ok((Some(pins), None)),
        Err(error) if is_default && error.is::<NoBpfFs>() => {
            warn!("counting ends with this agent, and begins anew with the next: {error:#}");
            Ok((None, Some(format!("{error:#}"))))
        }
        Err(error) => Err(error),
    }
}

fn wanted(config: &Config) -> Result<State> {
    let scope = Scope::of(&config.cgroup_root, &config.cgroup_mount)?;
    Ok(State {
        scope_level: scope.level,
        scope_cgroup: scope.cgroup,
        node: xxh3_64(config.node_name.as_bytes()),
        epoch: now_unix_ns(),
        max_flows: config.max_flows,
        prefix_v4: config.prefixes.0,
        prefix_v6: config.prefixes.1,
        udp: config.udp.number(),
        ..State::default()
    })
}

fn is_same(found: &State, wanted: &State) -> bool {
    let what = |state: &State| {
        (
            state.scope_cgroup,
            state.scope_level,
            state.node,
            state.max_flows,
            state.prefix_v4,
            state.prefix_v6,
            state.udp,
        )
    };
    what(found) == what(wanted)
}

/// Reports what was counted under other settings or by another version, as far as possible, and removes it.
async fn replace(config: &Config, found: &Found) -> Result<()> {
    info!(folder = %found.folder.display(), "replacing programs of another version or with other settings");
    let state = found.state;
    let options = LoadOptions {
        scope_cgroup: state.scope_cgroup,
        scope_level: state.scope_level,
        cgroup_root: None,
        udp: Udp::from_number(state.udp),
        every_mode: false,
        max_flows: state.max_flows,
        prefixes: (state.prefix_v4, state.prefix_v6),
        btf: super::btf_path(),
        pins: Some(found.folder.clone()),
        resume: true,
        sched: false,
        dialing: Dialing::Off,
    };
    // Shown to nobody: the agent is not ready before its own programs count.
    let status = Status::default();
    let drained = match Session::start(config, &status, options, state).await {
        Ok(session) => session.drain(DRAIN).await,
        Err(error) => Err(error),
    };
    match drained {
        Ok(true) => {}
        Ok(false) => warn!("not everything that they counted could be reported, and it is lost"),
        Err(error) => warn!("what they counted could not be reported, and is lost: {error:#}"),
    }
    remove_pins(&found.folder)
}

fn now_unix_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
}
