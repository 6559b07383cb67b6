use std::time::Duration;

use clap::CommandFactory as _;

use super::args::{EdgeFormat, GraphFormat, LogFormat, ServeArgs, question};
use super::config::Config;
use super::spelling::flag;
use super::*;
use crate::graph::{PARTS, QueryText};
use crate::kubernetes::watch::Asked;
use crate::store::{Access, Secret};

fn parse(line: &str) -> Result<Verb, String> {
    let words = std::iter::once("insight-aggregator").chain(line.split(' '));
    let cli = Cli::try_parse_from(words);
    cli.map(|cli| cli.verb).map_err(|error| error.to_string())
}

fn serve(line: &str) -> ServeArgs {
    match parse(line) {
        Ok(Verb::Serve(args)) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_holds() {
    Cli::command().debug_assert();
}

#[test]
fn readers_flags() {
    let Ok(Verb::Graph(graph)) = parse(
        "graph --from -2h --to -1h --level node --focus n1 --hops 2 --format dot --server http://a:1",
    ) else {
        panic!("graph");
    };
    assert_eq!(graph.time.from.as_deref(), Some("-2h"));
    assert_eq!(graph.time.to.as_deref(), Some("-1h"));
    assert_eq!(graph.part.hops.as_deref(), Some("2"));
    assert_eq!(graph.format, GraphFormat::Dot);
    assert_eq!(graph.server.server, "http://a:1");
    let Ok(Verb::Edge(edge)) = parse("edge 00ff --format json") else {
        panic!("edge");
    };
    assert_eq!((edge.id.as_str(), edge.format), ("00ff", EdgeFormat::Json));
    assert_eq!(edge.server.server, "http://127.0.0.1:7701");
}

#[test]
fn every_parameter_of_a_question_is_a_flag() {
    let mut line = "graph --unconnected --from -1h --to now".to_owned();
    let mut known = QueryText::default()
        .with("unconnected", "true".to_owned())
        .with("from", "-1h".to_owned())
        .with("to", "now".to_owned());
    // Not together with these.
    let others = ["unconnected", "focus", "hops", "direction"];
    for name in PARTS.into_iter().filter(|name| !others.contains(name)) {
        line.push_str(&format!(" {} {name}", flag(name)));
        known = known.with(name, name.to_owned());
    }
    let Ok(Verb::Graph(graph)) = parse(&line) else {
        panic!("{line}");
    };
    assert_eq!(question(Some(graph.time), graph.part), known);
    let Ok(Verb::Watch(watch)) = parse("watch --focus a --hops 2 --direction inbound") else {
        panic!("watch");
    };
    let known = QueryText::default()
        .with("focus", "a".to_owned())
        .with("hops", "2".to_owned())
        .with("direction", "inbound".to_owned());
    assert_eq!(question(None, watch.part), known);
    let Ok(Verb::Graph(graph)) = parse("graph --at -1h --namespace shop --kind pod --port 80")
    else {
        panic!("singular");
    };
    let known = QueryText::default()
        .with("at", "-1h".to_owned())
        .with("namespaces", "shop".to_owned())
        .with("kinds", "pod".to_owned())
        .with("ports", "80".to_owned());
    assert_eq!(question(Some(graph.time), graph.part), known);
    let Ok(Verb::Graph(graph)) = parse("graph --at monday --window 5m --tz Asia/Tokyo") else {
        panic!("window");
    };
    let known = QueryText::default()
        .with("at", "monday".to_owned())
        .with("window", "5m".to_owned())
        .with("tz", "Asia/Tokyo".to_owned());
    assert_eq!(question(Some(graph.time), graph.part), known);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "",
        "grph",
        "edge",
        "graph --at -1h --from -2h",
        "graph --from -2h --window 1h",
        "graph --hops 2",
        "graph --direction inbound",
        "graph --top-by bytes",
        "graph --focus a --unconnected",
        "graph --format svg",
        "watch --at -1h",
        "diff",
        "diff --before -1h --at -2h",
        "serve --grpc localhost",
        "serve --log-format xml",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_wrong_address_is_answered_with_a_right_one() {
    let error = parse("serve --http localhost:7700").unwrap_err();
    for part in ["localhost:7700", "--http", "for example 127.0.0.1:7701"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[test]
fn help_has_defaults_and_examples() {
    let mut command = Cli::command();
    let help = command.render_long_help().to_string();
    assert!(help.contains("Examples:"), "{help}");
    for (verb, expected) in [
        (
            "serve",
            &[
                "127.0.0.1:7701",
                "127.0.0.1:7700",
                "7d",
                "INSIGHT_GRPC",
                "agent_interval =",
                "INSIGHT_KUBERNETES",
                "kubernetes =",
                "Examples:",
            ][..],
        ),
        (
            "graph",
            &[
                "http://127.0.0.1:7701",
                "INSIGHT_SERVER",
                "container, ",
                " or ",
                "[default: workload]",
                "--selector 'app in (web,api)'",
                "Examples:",
            ],
        ),
        ("watch", &["--namespaces shop", "Examples:"]),
        ("edge", &["container, ", "Examples:"]),
        ("diff", &["--before -1h", "all:0%", "Examples:"]),
        ("rbac", &["kubectl apply", "insight-aggregator"]),
    ] {
        let help = command
            .find_subcommand_mut(verb)
            .unwrap()
            .render_long_help()
            .to_string();
        for word in expected {
            assert!(help.contains(word), "{word} is not in the help of {verb}");
        }
    }
}

#[test]
fn flags_win_over_the_file_and_that_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(
        &path,
        "grpc = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"\ncluster_insight = \"127.0.0.1:4\"\nstore = \"memory:\"\nretention = \"2h\"\nnames_retention = \"3h\"\nagent_interval = \"2s\"\ncluster_ranges = [\"10.1.2.3/8\", \"fd00::/8\"]\nkubernetes = \"/etc/kubeconfig\"\nkubernetes_secrets = true\nlog_format = \"json\"\nstore_user = \"me\"\nstore_password = \"hush\"\n",
    )
    .unwrap();
    let line = format!("serve --http 127.0.0.1:3 --config {}", path.display());
    let config = Config::resolve(serve(&line)).unwrap();
    let expected = Config {
        grpc: "127.0.0.1:1".parse().unwrap(),
        http: "127.0.0.1:3".parse().unwrap(),
        cluster_insight: Some("127.0.0.1:4".parse().unwrap()),
        store: "memory:".into(),
        access: Access {
            user: Some(("me".to_owned(), Secret::new("hush"))),
            ..Access::default()
        },
        retention: Duration::from_secs(7_200),
        names_retention: Duration::from_secs(10_800),
        agent_interval: Some(Duration::from_secs(2)),
        cluster_ranges: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        kubernetes: Asked::Kubeconfig("/etc/kubeconfig".into()),
        kubernetes_secrets: true,
        log: "info,fjall=warn,lsm_tree=warn,kube_client=off,scylla=off".into(),
        log_format: LogFormat::Json,
    };
    assert_eq!(config, expected);
    assert!(!format!("{config:?}").contains("hush"));
    let config = Config::resolve(serve("serve --store memory:")).unwrap();
    assert_eq!(config.retention, Duration::from_secs(7 * 86_400));
    assert_eq!(config.names_retention, config.retention);
    assert_eq!(config.grpc.port(), 7701);
}

#[test]
fn the_flags_of_cluster_insights_collector_are_understood() {
    let resolve = |line: &str| {
        let line = format!("serve --store memory: {line}");
        Config::resolve(serve(line.trim()))
    };
    for (line, expected) in [
        ("", None),
        ("--cluster-insight 0.0.0.0:80", Some("0.0.0.0:80")),
        ("--host 0.0.0.0", Some("0.0.0.0:5555")),
        ("-p 5556", Some("127.0.0.1:5556")),
        ("--host ::1 --port 5556", Some("[::1]:5556")),
    ] {
        let expected = expected.map(|address| address.parse().unwrap());
        assert_eq!(resolve(line).unwrap().cluster_insight, expected, "{line}");
    }
    let log = resolve("--debug").unwrap().log;
    assert!(log.contains("insight_aggregator=debug"), "{log}");
    assert!(resolve("--cluster-insight 127.0.0.1:7700").is_err());
    assert!(parse("serve -p 1 --cluster-insight 127.0.0.1:2").is_err());
}

#[test]
fn the_shortest_retention_holds_the_default_range() {
    let resolve = |retention: &str| {
        Config::resolve(serve(&format!(
            "serve --store memory: --retention {retention}"
        )))
    };
    assert!(resolve("15m").is_ok());
    let Err(Failure::Error { message, hint, .. }) = resolve("14m59s") else {
        panic!("14m59s was accepted");
    };
    assert!(message.contains("\"14m59s\" is too short"), "{message}");
    assert!(hint.contains("15m or more"), "{hint}");
}

#[test]
fn wrong_configuration_ends_with_64() {
    for line in [
        "serve --config /nowhere/at/all.toml",
        "serve --store nothing",
        "serve --store memory: --grpc 127.0.0.1:7700",
        "serve --store memory: --retention 7",
        "serve --store memory: --retention 899s",
    ] {
        let failure = Config::resolve(serve(line)).unwrap_err();
        assert!(
            matches!(&failure, Failure::Error { code: USAGE, hint, .. } if !hint.is_empty()),
            "{line}: {failure:?}"
        );
    }
}

#[test]
fn which_cluster_is_watched_can_be_said() {
    let asked = |line: &str| {
        let config = Config::resolve(serve(&format!("serve --store memory: {line}"))).unwrap();
        (config.kubernetes, config.kubernetes_secrets)
    };
    assert_eq!(asked("--kubernetes off"), (Asked::Off, false));
    let with_secrets = "--kubernetes in-cluster --kubernetes-secrets";
    assert_eq!(asked(with_secrets), (Asked::InCluster, true));
    let without = "--kubernetes a.yaml --kubernetes-secrets=false";
    assert_eq!(asked(without), (Asked::Kubeconfig("a.yaml".into()), false));
}

#[test]
fn an_owner_is_a_resource_and_its_group() {
    let Ok(Verb::Rbac(args)) = parse("rbac --owner rollouts.argoproj.io") else {
        panic!("rbac");
    };
    assert_eq!(args.owner, [("rollouts".into(), "argoproj.io".into())]);
    for bad in ["rollouts", "*.*", "a.b\"]", "."] {
        assert!(parse(&format!("rbac --owner {bad}")).is_err(), "{bad}");
    }
}
