//! The kernel's own record of what TCP sockets did: ftrace, in an instance of a test's own.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::ids::suffix;
use crate::mount::Mount;
use crate::wait::eventually;

/// How long an instance may be busy when it is to be removed.
const REMOVAL: Duration = Duration::from_secs(5);

/// One change of a socket's state that opens or ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The socket's own port.
    pub local_port: u16,
    /// Its peer's.
    pub remote_port: u16,
    /// The state that it leaves, `TCP_…` as the kernel writes it.
    pub from: String,
    /// The state that it enters.
    pub to: String,
}

impl Change {
    /// Whether a connection was established.
    pub fn opens(&self) -> bool {
        self.to == "TCP_ESTABLISHED"
    }

    /// Whether a connection that was established has ended.
    pub fn closes(&self) -> bool {
        let never_was = ["TCP_SYN_SENT", "TCP_SYN_RECV", "TCP_LISTEN", "TCP_CLOSE"];
        self.to == "TCP_CLOSE" && !never_was.contains(&self.from.as_str())
    }
}

/// Records changes in the order in which they happen, on all CPUs. Its instance and its mount of tracefs end with it.
pub struct Trace {
    instance: PathBuf,
    _mount: Mount,
}

impl Trace {
    /// Records those that enter `TCP_ESTABLISHED` or `TCP_CLOSE`, at sockets with a port of this range at either end; if `threads` are given, only
    /// while one of them runs, or one that they or their like have made since (Documentation/trace/events.rst, "set_event_pid", "event-fork").
    /// `room` is for each CPU, KiB; a change takes less than 128 bytes.
    pub fn start(ports: &Range<u16>, threads: Option<&[String]>, room: u32) -> Result<Self> {
        let mount = Mount::new("tracefs", "insight-tracefs-")?;
        let instance = mount
            .path()
            .join("instances")
            .join(format!("insight-{}", suffix()));
        fs::create_dir(&instance).context("make an ftrace instance")?;
        let trace = Self {
            instance,
            _mount: mount,
        };
        let in_range = |port| format!("({port} >= {} && {port} < {})", ports.start, ports.end);
        // 1 is TCP_ESTABLISHED, 7 is TCP_CLOSE.
        let filter = format!(
            "(newstate == 1 || newstate == 7) && ({} || {})",
            in_range("sport"),
            in_range("dport")
        );
        if let Some(threads) = threads {
            trace.set("options/event-fork", "1")?;
            trace.set("set_event_pid", &threads.join(" "))?;
        }
        trace.set("buffer_size_kb", &room.to_string())?;
        // One clock for all CPUs, so that the order is true.
        trace.set("trace_clock", "global")?;
        trace.set("events/sock/inet_sock_set_state/filter", &filter)?;
        trace.set("events/sock/inet_sock_set_state/enable", "1")?;
        Ok(trace)
    }

    /// Its folder.
    pub fn instance(&self) -> &Path {
        &self.instance
    }

    /// Records no more.
    pub fn stop(&self) -> Result<()> {
        self.set("events/enable", "0")
    }

    /// What was recorded. An error if there was not room for all of it.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let text = fs::read_to_string(self.instance.join("trace")).context("read the trace")?;
        parse(&text)
    }

    fn set(&self, file: &str, value: &str) -> Result<()> {
        fs::write(self.instance.join(file), value)
            .with_context(|| format!("write {value} to ftrace's {file}"))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.stop();
        // Another test that starts a process holds our open files until that runs its program.
        let removed = eventually(REMOVAL, "the instance to be unused", || {
            Ok(fs::remove_dir(&self.instance)?)
        });
        if let Err(error) = removed {
            eprintln!("left behind: {}: {error:#}", self.instance.display());
        }
    }
}

/// The file `trace`: `#` begins its comments, one of which counts the entries.
fn parse(text: &str) -> Result<Vec<Change>> {
    let (comments, entries): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('#'));
    let (kept, written) = comments
        .iter()
        .find_map(|line| line.strip_prefix("# entries-in-buffer/entries-written: "))
        .and_then(|rest| rest.split_whitespace().next()?.split_once('/'))
        .with_context(|| format!("no count of entries in {comments:?}"))?;
    ensure!(
        kept == written,
        "the trace has {kept} of {written} changes: there was no room for more"
    );
    entries.into_iter().map(parse_entry).collect()
}

/// `task-pid [cpu] flags time: inet_sock_set_state: family=… sport=… dport=… … oldstate=… newstate=…`
fn parse_entry(line: &str) -> Result<Change> {
    let Some((_, fields)) = line.split_once(" inet_sock_set_state: ") else {
        bail!("not a change of state: {line:?}");
    };
    let field = |name: &str| {
        fields
            .split_whitespace()
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("no {name} in {line:?}"))
    };
    Ok(Change {
        local_port: field("sport")?.parse()?,
        remote_port: field("dport")?.parse()?,
        from: field("oldstate")?.to_owned(),
        to: field("newstate")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(kept: u32, written: u32) -> String {
        format!(
            "# tracer: nop\n#\n# entries-in-buffer/entries-written: {kept}/{written}   #P:2\n#\n\
             #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n\
             \x20   insight load-123     [001] ..s3.  4711.123456: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP \
             sport=40000 dport=7001 saddr=10.244.0.2 daddr=10.244.0.3 saddrv6=:: daddrv6=:: oldstate=TCP_SYN_SENT \
             newstate=TCP_ESTABLISHED\n"
        )
    }

    #[test]
    fn an_entry_is_read() {
        let changes = parse(&trace(1, 1)).unwrap();
        let [change] = changes.as_slice() else {
            panic!("{changes:?}");
        };
        assert_eq!((change.local_port, change.remote_port), (40_000, 7_001));
        assert!(change.opens() && !change.closes());
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        assert!(parse(&trace(1, 2)).is_err());
        assert!(parse("").is_err());
        assert!(parse(&format!("{}CPU:1 [LOST 3 EVENTS]\n", trace(1, 1))).is_err());
    }

    #[test]
    fn only_what_was_open_closes() {
        let ends = |from: &str| {
            let change = Change {
                local_port: 1,
                remote_port: 2,
                from: from.to_owned(),
                to: "TCP_CLOSE".to_owned(),
            };
            change.closes()
        };
        assert!(ends("TCP_LAST_ACK") && ends("TCP_ESTABLISHED") && ends("TCP_FIN_WAIT2"));
        assert!(!ends("TCP_SYN_SENT") && !ends("TCP_LISTEN"));
    }
}
