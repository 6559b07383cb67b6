//! The program as people run it: verbs, exit codes, pipes and signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod report;

use std::process::{Output, Stdio};
use std::time::Duration;

use insight_proto::v1;
use insight_proto::v1::agent_service_client::AgentServiceClient;
use insight_proto::v1::report_request::Message;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_insight-aggregator"));
    for name in [
        "INSIGHT_SERVER",
        "INSIGHT_STORE",
        "INSIGHT_CONFIG",
        "INSIGHT_LOG",
        "INSIGHT_KUBERNETES",
        "KUBECONFIG",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).output();
    tokio::time::timeout(SOON, output)
        .await
        .expect("no end")
        .unwrap()
}

/// Exit code, standard output and standard error.
async fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments).await;
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A running `serve`.
struct Serve {
    child: Child,
    grpc: String,
    log: Lines<BufReader<ChildStderr>>,
}

impl Serve {
    async fn start(store: &str, grpc: &str) -> Self {
        let mut child = program()
            .args([
                "serve",
                "--store",
                store,
                "--grpc",
                grpc,
                "--http",
                "127.0.0.1:0",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let grpc = loop {
            let line = tokio::time::timeout(SOON, log.next_line()).await;
            let line = line.expect("not ready").unwrap().expect("ended early");
            if let Some((_, rest)) = line.split_once(" ready grpc=") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        Self { child, grpc, log }
    }

    fn url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Stops it as systemd does; the exit code.
    async fn stop(mut self) -> i32 {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        // Its last lines must have a reader.
        while self.log.next_line().await.unwrap().is_some() {}
        self.child.wait().await.unwrap().code().unwrap()
    }

    /// Reports that 10.0.0.9 opened connections to web.service, as batch `sequence`.
    async fn report(&self, sequence: u64, opened: u64) {
        let hello = report::hello("n1", 1);
        let mut client = AgentServiceClient::connect(self.url()).await.unwrap();
        let messages = [
            Message::Hello(hello.clone()),
            Message::Batch(report::batch(&hello, sequence, 80, opened)),
        ];
        let requests = messages.map(|message| v1::ReportRequest {
            message: Some(message),
        });
        // The stream stays open until the answer is there.
        let (sender, stream) = tokio::sync::mpsc::channel(2);
        for request in requests {
            sender.send(request).await.unwrap();
        }
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let mut answers = client.report(stream).await.unwrap().into_inner();
        for _config_and_ack in 0..2 {
            answers.message().await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn the_graph_and_one_edge_are_printed() {
    let serve = Serve::start("memory:", "127.0.0.1:0").await;
    serve.report(1, 3).await;
    let url = serve.url();
    let (code, json, _) = outcome(&["graph", "--server", &url, "--format", "json"]).await;
    assert_eq!(code, 0);
    let graph: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(graph["edges"][0]["server_view"]["connections_opened"], 3);
    for (format, expected) in [
        ("table", "web.service"),
        ("dot", "digraph"),
        ("mermaid", "-->"),
    ] {
        let (code, text, _) = outcome(&["graph", "--server", &url, "--format", format]).await;
        assert!(code == 0 && text.contains(expected), "{format}: {text}");
    }
    let (code, node, _) = outcome(&[
        "graph", "--server", &url, "--level", "node", "--format", "json",
    ])
    .await;
    let node: serde_json::Value = serde_json::from_str(&node).unwrap();
    assert_eq!((code, node["level"].as_str()), (0, Some("node")));

    // An edge of another level than the default is found without naming its level.
    for id in [&graph["edges"][0]["id"], &node["edges"][0]["id"]] {
        let id = id.as_str().unwrap();
        let (code, text, _) = outcome(&["edge", id, "--server", &url]).await;
        assert!(code == 0 && text.contains("connections opened"), "{text}");
        let (code, json, _) = outcome(&["edge", id, "--server", &url, "--format", "json"]).await;
        let edge: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code, edge["edge"]["id"].as_str()), (0, Some(id)));
        let history = ["edge", id, "--server", &url, "--history", "--window", "5m"];
        let (code, text, _) = outcome(&history).await;
        assert!(code == 0 && text.contains("first seen 2"), "{text}");
        let (code, json, _) = outcome(&[&history[..], &["--format", "json"]].concat()).await;
        let over_time: serde_json::Value = serde_json::from_str(&json).unwrap();
        let points = over_time["points"].as_array().unwrap();
        let views = points.iter().map(|point| &point["server_view"]);
        let views: Vec<_> = views.filter(|view| !view.is_null()).collect();
        assert_eq!((code, views), (0, vec![&edge["edge"]["server_view"]]));
    }
    let (code, _, error) = outcome(&["edge", "00ff", "--server", &url, "--history"]).await;
    assert!(code == 1 && error.contains("no edge"), "{error}");
    let (code, text, _) = outcome(&["diff", "--before", "-1h", "--server", &url]).await;
    assert!(
        code == 0 && text.contains("?+ ") && text.contains("no_agent"),
        "{text}"
    );
    assert_eq!(serve.stop().await, 0);
}

#[tokio::test]
async fn what_the_aggregator_refuses_is_said_in_flags() {
    let serve = Serve::start("memory:", "127.0.0.1:0").await;
    serve.report(1, 3).await;
    let url = serve.url();
    for (line, error, hint) in [
        (
            "graph --level cluster",
            "--level: there is no level",
            "--level workload",
        ),
        (
            "graph --focus wb.service",
            "--focus: no node",
            "web.service",
        ),
        ("graph --focus zzz", "--focus: no node", "leave --focus out"),
        ("graph --focus zzz", "--focus: no node", "--from -1h"),
        ("watch --focus zzz", "--focus: no node", "--from -1h"),
        (
            "graph --focus web.service --hops 99",
            "--hops: \"99\" is",
            "--hops 2",
        ),
        (
            "graph --min-bytes 1KiB",
            "--min-bytes: \"1KiB\" is not a number",
            "--min-bytes 1000",
        ),
        (
            "watch --namespaces Shop",
            "--namespaces: \"Shop\" cannot be",
            "--namespaces shop,payments",
        ),
        (
            "graph --top 3 --top-by size",
            "--top-by: edges cannot",
            "--top 20 --top-by failures",
        ),
        (
            "graph --from -1m --to -2m",
            "--from: the range is empty",
            "--from -15m",
        ),
        (
            "edge 00 --level cluster",
            "--level: there is no level",
            "--level workload",
        ),
    ] {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--server", &url]);
        let (code, out, err) = outcome(&arguments).await;
        assert_eq!((code, out.as_str()), (64, ""), "{line}: {err}");
        let lines: Vec<&str> = err.lines().collect();
        let [found, advice] = lines[..] else {
            panic!("{line}: {err}");
        };
        assert!(
            found.starts_with(&format!("error: {error}")),
            "{line}: {err}"
        );
        assert!(
            advice.starts_with("hint: ") && advice.contains(hint),
            "{line}: {err}"
        );
    }
    assert_eq!(serve.stop().await, 0);
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, start: &str, end: &str) -> String {
    let search = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with(start) && line.contains(end) {
                return line;
            }
        }
        panic!("ended without {start:?} {end:?}");
    };
    let found = tokio::time::timeout(SOON, search).await;
    found.unwrap_or_else(|_| panic!("no line with {start:?} {end:?}"))
}

#[tokio::test]
async fn watch_goes_on_when_the_aggregator_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("embedded:{}", folder.path().join("store").display());
    let serve = Serve::start(&store, "127.0.0.1:0").await;
    serve.report(1, 3).await;
    let mut watch = program()
        .args(["watch", "--server", &serve.url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let line = line_with(&mut lines, "+ ", "opened=3").await;
    assert!(line.contains("-> web.service tcp/80"), "{line}");
    serve.report(2, 4).await;
    line_with(&mut lines, "~ ", "opened=7").await;

    let address = serve.grpc.clone();
    assert_eq!(serve.stop().await, 0);
    let mut notes = BufReader::new(watch.stderr.take().unwrap()).lines();
    let note = tokio::time::timeout(SOON, notes.next_line())
        .await
        .expect("no note");
    assert!(note.unwrap().unwrap().starts_with("lost the aggregator ("));
    let serve = Serve::start(&store, &address).await;
    line_with(&mut lines, "! ", "unknown_token").await;
    serve.report(3, 5).await;
    line_with(&mut lines, "~ ", "opened=12").await;
    watch.kill().await.unwrap();
    assert_eq!(serve.stop().await, 0);
}

#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let serve = Serve::start("memory:", "127.0.0.1:0").await;
    serve.report(1, 3).await;
    for verb in ["graph", "watch"] {
        let mut reader = program()
            .args([verb, "--server", &serve.url()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(reader.stdout.take());
        let ended = tokio::time::timeout(SOON, reader.wait_with_output());
        let output = ended.await.expect("no end").unwrap();
        assert_eq!(output.status.code(), Some(0), "{verb}: {output:?}");
        assert!(output.stderr.is_empty(), "{verb}: {output:?}");
    }
    assert_eq!(serve.stop().await, 0);
}

#[tokio::test]
async fn mistakes_end_with_one_line_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "grcp = \"127.0.0.1:1\"\n").unwrap();
    let file = file.display().to_string();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = occupied.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (arguments, code, expected) in [
        (
            vec!["graph", "--server", "http://127.0.0.1:9"],
            1,
            "cannot reach the aggregator at http://127.0.0.1:9",
        ),
        (
            vec!["graph", "--server", "127.0.0.1:9"],
            64,
            "does not begin with http://",
        ),
        (vec!["graph", "--at", "soon"], 64, "--at: "),
        (vec!["graph", "--at", "0000-01-01"], 64, "1970"),
        (
            vec!["graph", "--at", "monday+9:00", "--tz", "Mars"],
            64,
            "--tz: ",
        ),
        (vec!["diff", "--before", "soon"], 64, "--before: "),
        (vec!["graph", "--window", "0m"], 64, "--window: "),
        (
            vec!["edge", "00ff", "--from", "-1h", "--to", "é"],
            64,
            "--to: ",
        ),
        (
            vec!["edge", "00ff", "--history", "--step", "soon"],
            64,
            "--step: ",
        ),
        (vec!["serve", "--config", &file], 64, "unknown key \"grcp\""),
        (vec!["serve", "--store", "somewhere"], 64, "names no store"),
        (
            vec!["serve", "--store", "memory:", "--kubernetes", "/nowhere"],
            64,
            "cannot watch Kubernetes: reading the kubeconfig /nowhere",
        ),
        (
            vec!["serve", "--store", "memory:", "--kubernetes", "in-cluster"],
            64,
            "reading the service account",
        ),
        (
            vec![
                "serve",
                "--store",
                "embedded:/proc/insight",
                "--grpc",
                free,
                "--http",
                free,
            ],
            1,
            "/proc/insight",
        ),
        (
            vec![
                "serve", "--store", "memory:", "--grpc", &taken, "--http", free,
            ],
            1,
            "another program does",
        ),
        (
            vec![
                "serve", "--store", "memory:", "--grpc", free, "--http", &taken,
            ],
            1,
            "--http",
        ),
    ] {
        let (found, out, err) = outcome(&arguments).await;
        assert_eq!(found, code, "{arguments:?}: {err}");
        assert!(out.is_empty(), "{arguments:?}: {out}");
        let lines: Vec<&str> = err.lines().collect();
        let [error, hint] = lines[..] else {
            panic!("{arguments:?}: {err}");
        };
        assert!(
            error.starts_with("error: ") && error.contains(expected),
            "{error}"
        );
        assert!(hint.starts_with("hint: "), "{hint}");
    }
    for (line, hint) in [
        ("graph --at soon", "--at yesterday+14:00"),
        ("graph --window 0m", "--window 5m"),
        ("diff --before soon", "--before yesterday+14:00"),
        ("diff --before -1h --thresholds x", "--thresholds all:0%"),
        ("edge 00ff --history --step soon", "--step 5m"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let (_, _, err) = outcome(&words).await;
        assert!(err.contains(hint), "{line}: {err}");
    }
    let (code, ..) = outcome(&["nonsense"]).await;
    assert_eq!(code, 64);
    let (code, help, _) = outcome(&["--help"]).await;
    assert!(code == 0 && help.contains("watch"));
    let (code, rights, _) = outcome(&["rbac", "--namespace", "monitoring"]).await;
    assert!(code == 0 && rights.contains("namespace: monitoring"));
}
