//! Precedence, and what people type wrong.

use super::*;

struct Case {
    mount: tempfile::TempDir,
    args: RunArgs,
    env: Vec<(&'static str, &'static str)>,
    file: Option<&'static str>,
}

impl Case {
    fn new() -> Self {
        let mount = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(mount.path().join("v2/a/b")).unwrap();
        std::fs::create_dir_all(mount.path().join("v1/a")).unwrap();
        std::fs::write(mount.path().join("v2/file"), "").unwrap();
        Self {
            mount,
            args: RunArgs::default(),
            env: Vec::new(),
            file: None,
        }
    }

    fn path(&self, below: &str) -> String {
        let path = std::fs::canonicalize(self.mount.path())
            .unwrap()
            .join(below);
        path.to_str().unwrap().to_owned()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let (v1, v2) = (self.path("v1"), self.path("v2"));
        let mounts = Mounts::parse(&format!(
            "1 0 0:1 / {v2} rw - cgroup2 none rw\n2 0 0:2 / {v1} rw - cgroup none rw,memory\n"
        ));
        let env = |name: &str| {
            let pair = self.env.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        let file = self.file.map(|text| (Path::new("/etc/agent.toml"), text));
        Config::resolve(&Layers::new(&self.args, env, file)?, &mounts)
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn with_flags(set: impl FnOnce(&mut RunArgs)) -> Case {
    let mut case = Case::new();
    set(&mut case.args);
    case
}

fn with_file(text: &'static str) -> Case {
    let mut case = Case::new();
    case.file = Some(text);
    case
}

#[test]
fn defaults() {
    let case = Case::new();
    let config = case.load().unwrap();
    let expected = Config {
        aggregator: "http://127.0.0.1:7701".to_owned(),
        node_name: boot::hostname(),
        cgroup_root: case.path("v2").into(),
        cgroup_mount: case.path("v2").into(),
        cgroup_v1: V1 {
            memory: Some(case.path("v1").into()),
            ..V1::default()
        },
        interval: Duration::from_secs(5),
        listen: "127.0.0.1:7702".parse().unwrap(),
        max_flows: 40960,
        flow_idle: Duration::from_secs(600),
        prefixes: (24, 48),
        udp: Udp::Edges,
        pin_dir: Some("/sys/fs/bpf/insight".into()),
        sched: false,
        dialed: Dialing::Auto,
        log: "info".to_owned(),
    };
    assert_eq!(config, expected);
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let mut case =
        with_file("node_name = \"file\"\ninterval = \"1m\"\nmax_flows = 100\nlog = \"debug\"");
    case.env = vec![
        ("INSIGHT_NODE_NAME", "007"),
        ("INSIGHT_INTERVAL", "2s"),
        ("INSIGHT_MAX_FLOWS", "200"),
        ("INSIGHT_LOG", ""),
        ("INSIGHT_UNRELATED", "x"),
    ];
    case.args.interval = Some("300ms".to_owned());
    let config = case.load().unwrap();
    assert_eq!(config.interval, Duration::from_millis(300));
    // Text stays text, whatever it looks like.
    assert_eq!(config.node_name, "007");
    assert_eq!(config.max_flows, 200);
    assert_eq!(config.log, "debug");
}

#[test]
fn a_switch_is_on_or_off_however_it_is_spelt() {
    let sched = |case: &Case| case.load().unwrap().sched;
    for (text, expected) in [
        ("sched = true", true),
        ("sched = false", false),
        ("sched = \"on\"", true),
    ] {
        assert_eq!(sched(&with_file(text)), expected, "{text}");
    }
    assert!(sched(
        &with_flags(|args| args.sched = Some("on".to_owned()))
    ));
    let error = with_flags(|args| args.sched = Some("yes".to_owned())).error();
    assert_eq!(error, "--sched cannot be \"yes\": it must be 'on' or 'off'");
    let error = with_file("sched = 1").error();
    assert!(error.contains("expected true or false"), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_its_file_and_the_known_ones() {
    assert_eq!(
        with_file("agregator = \"x\"").error(),
        "unknown key `agregator` in /etc/agent.toml; the known keys are aggregator, node_name, cgroup_root, interval, \
         listen, max_flows, flow_idle, prefix_v4, prefix_v6, udp, pin_dir, sched, dialed, log"
    );
    let error = with_file("[server]\nlisten = \"x\"").error();
    assert!(error.contains("unknown key `server`"), "{error}");
}

#[test]
fn a_bad_file_is_named_with_the_place() {
    let error = with_file("interval = 5s").error();
    assert!(
        error.starts_with("/etc/agent.toml is not TOML: "),
        "{error}"
    );
    assert!(error.contains("line 1"), "{error}");
    let error = with_file("interval = 5").error();
    assert!(
        error.starts_with("`interval` in /etc/agent.toml has a wrong value: "),
        "{error}"
    );
    let error = with_file("max_flows = 1.5").error();
    assert!(
        error.contains("`max_flows`") && error.contains("whole number"),
        "{error}"
    );
    let error = read(Path::new("/no/such.toml")).unwrap_err().to_string();
    assert!(
        error.contains("/no/such.toml") && error.contains("--config"),
        "{error}"
    );
}

#[test]
fn an_error_says_where_the_value_came_from() {
    let error = with_file("max_flows = -1").error();
    assert!(
        error.starts_with("max_flows in /etc/agent.toml cannot be \"-1\": "),
        "{error}"
    );
    let mut case = Case::new();
    case.env = vec![("INSIGHT_LISTEN", "localhost:7702")];
    let error = case.error();
    assert!(
        error.starts_with("INSIGHT_LISTEN cannot be \"localhost:7702\": "),
        "{error}"
    );
    case.args.listen = Some("7702".to_owned());
    assert!(case.error().starts_with("--listen cannot be \"7702\": "));
}

#[test]
fn urls() {
    let load = |url: &str| with_flags(|args| args.aggregator = Some(url.to_owned())).load();
    for good in [
        "http://127.0.0.1:7701",
        "http://insight.monitoring.svc:7701/",
        "http://[::1]:1",
    ] {
        assert_eq!(load(good).unwrap().aggregator, good);
    }
    for (bad, hint) in [
        ("127.0.0.1:7701", "http://HOST:PORT"),
        ("insight", "scheme http:// is missing"),
        ("insight:7701", "http://HOST:PORT"),
        ("http://insight", "port is missing"),
        ("http://:7701", "http://HOST:PORT"),
        ("https://insight:7701", "TLS is not supported"),
        ("ftp://insight:7701", "scheme is not http"),
        ("http://insight:77010", "http://HOST:PORT"),
        ("http://insight:7701/api", "no path"),
        ("", "http://HOST:PORT"),
    ] {
        let error = load(bad).unwrap_err().to_string();
        assert!(
            error.starts_with("--aggregator cannot be") && error.contains(hint),
            "{bad}: {error}"
        );
    }
}

#[test]
fn intervals() {
    let load = |text: &str| with_flags(|args| args.interval = Some(text.to_owned())).load();
    for (good, milliseconds) in [
        ("100ms", 100),
        ("1.5s", 1500),
        ("1m30s", 90_000),
        ("10m", 600_000),
    ] {
        assert_eq!(
            load(good).unwrap().interval,
            Duration::from_millis(milliseconds)
        );
    }
    for (bad, why) in [
        ("99ms", "too short"),
        ("601s", "too long"),
        ("5", "unit"),
        ("", "unit"),
        ("-5s", "negative"),
    ] {
        let error = load(bad).unwrap_err().to_string();
        assert!(
            error.contains(why) && error.contains("500ms"),
            "{bad}: {error}"
        );
    }
}

#[test]
fn cgroup_roots() {
    let mut case = Case::new();
    case.args.cgroup_root = Some(case.path("v2/a/../a/b"));
    let good = case.load().unwrap();
    assert_eq!(good.cgroup_root, Path::new(&case.path("v2/a/b")));
    assert_eq!(good.cgroup_mount, Path::new(&case.path("v2")));
    for (bad, hint) in [
        (case.path("v2/none"), "cgroup v2 mount"),
        (case.path("v2/file"), "not a directory"),
        (case.path("v1/a"), "cgroup v1"),
        ("/a/b".to_owned(), "did you mean"),
        ("/tmp".to_owned(), "not in a cgroup v2 mount"),
    ] {
        case.args.cgroup_root = Some(bad.clone());
        let error = case.error();
        assert!(
            error.starts_with("--cgroup-root cannot be") && error.contains(hint),
            "{bad}: {error}"
        );
    }
}

#[test]
fn other_values() {
    let error = |set: fn(&mut RunArgs)| with_flags(set).error();
    assert!(error(|args| args.max_flows = Some("15".into())).contains("16 to 4194304"));
    assert!(error(|args| args.node_name = Some("a b".into())).contains("white space"));
    assert!(error(|args| args.node_name = Some("n".repeat(254))).contains("longer than 253"));
    assert!(
        error(|args| args.log = Some("insight_agent=loud".into())).contains("insight_agent=debug")
    );
}
