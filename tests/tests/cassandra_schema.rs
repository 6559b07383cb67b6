//! The schema: applied by its own verb only; `serve` refuses what it cannot work with, and says the command that helps.

use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use insight_aggregator::server::TABLES;
use insight_aggregator::store::{Access, Schema};
use insight_tests::cassandra::{RETENTION, Ring, shared};
use insight_tests::product::{Outcome, free_port, program, run_once, serve_args_for};

/// This program's schema, in one copy.
fn schema() -> Result<Schema> {
    let replication = "1".parse().map_err(anyhow::Error::msg)?;
    Ok(Schema::new(&TABLES, RETENTION, replication))
}

/// A keyspace of this test's own in the node that tests share.
fn keyspace(name: &str) -> Result<String> {
    let url = shared()?;
    let (base, _) = url.split_once("/tests").context("another URL")?;
    Ok(format!("{base}/{name}_{}", std::process::id()))
}

fn aggregator(words: &[&str]) -> Result<Outcome> {
    let mut command = Command::new(program("insight-aggregator")?);
    command.args(words);
    run_once(command)
}

fn serve(url: &str, retention: &str) -> Result<Outcome> {
    let mut args = serve_args_for(url, free_port()?, free_port()?);
    args.truncate(args.len() - 1);
    args.push(retention.to_owned());
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    aggregator(&words)
}

/// That `serve` ends with all of these words.
fn expect_refusal(url: &str, retention: &str, words: &[&str]) -> Result<()> {
    let ended = serve(url, retention)?;
    ensure!(
        ended.code == Some(1),
        "serve ended with {:?}: {}",
        ended.code,
        ended.stderr
    );
    for word in words {
        ensure!(
            ended.stderr.contains(word),
            "{word:?} is not in: {}",
            ended.stderr
        );
    }
    Ok(())
}

/// Applies the schema as a program of another version would have.
fn apply_version(url: &str, by: i32) -> Result<()> {
    let current = schema()?;
    let other = Schema {
        version: current.version + by,
        ..current
    };
    other.apply(url, &Access::default()).map(drop)
}

#[test]
fn a_missing_schema_ends_the_start_with_the_command() -> Result<()> {
    let url = keyspace("missing")?;
    let command = format!("insight-aggregator schema apply --replication 3 --store '{url}'");
    expect_refusal(&url, "7d", &["there is no keyspace missing_", &command])
}

#[test]
fn an_older_and_a_newer_schema_end_the_start_with_the_command() -> Result<()> {
    let url = keyspace("older")?;
    apply_version(&url, -1)?;
    let command = format!("insight-aggregator schema apply --store '{url}'");
    expect_refusal(
        &url,
        "7d",
        &["has schema 0, this program needs 1", &command],
    )?;
    let done = aggregator(&["schema", "apply", "--replication", "1", "--store", &url])?.stdout()?;
    assert_eq!(done, "done: version 1 is noted\n");
    aggregator(&["schema", "check", "--store", &url])?.stdout()?;

    let url = keyspace("newer")?;
    apply_version(&url, 1)?;
    let command = format!("insight-aggregator schema check --store '{url}'");
    expect_refusal(&url, "7d", &["has schema 2, newer than 1", &command])?;
    let applied = aggregator(&["schema", "apply", "--replication", "1", "--store", &url])?;
    ensure!(
        applied.code == Some(1) && applied.stderr.contains("newer"),
        "{}",
        applied.stderr
    );
    Ok(())
}

#[test]
fn a_second_apply_does_nothing_and_a_longer_retention_changes_the_tables() -> Result<()> {
    let url = keyspace("twice")?;
    let apply = |more: &[&str]| {
        let words = [
            &[
                "schema",
                "apply",
                "--replication",
                "1",
                "--store",
                url.as_str(),
            ],
            more,
        ]
        .concat();
        aggregator(&words)?.stdout()
    };
    let done = apply(&[])?;
    // Beside ours: the versions, and three of the store's own, which are kept as long.
    let kept = TABLES.len() + 3;
    ensure!(done.matches("CREATE TABLE").count() == kept + 1, "{done}");
    assert_eq!(apply(&[])?, "nothing to do\n");

    let month = ["--retention", "30d"];
    expect_refusal(
        &url,
        "30d",
        &[
            "a retention of 2592000 s",
            "schema apply --retention 2592000s",
        ],
    )?;
    let done = apply(&month)?;
    ensure!(done.matches("ALTER TABLE").count() == kept, "{done}");
    aggregator(&["schema", "check", "--store", &url, "--retention", "30d"])?
        .stdout()
        .map(drop)
}

#[test]
fn more_copies_than_nodes_are_refused() -> Result<()> {
    let url = keyspace("copies")?;
    let applied = aggregator(&["schema", "apply", "--store", &url])?;
    ensure!(
        applied.code == Some(1) && applied.stderr.contains("--replication 1"),
        "{}",
        applied.stderr
    );
    Ok(())
}

#[test]
fn several_at_once_make_one_schema() -> Result<()> {
    let url = keyspace("race")?;
    let applied: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| schema()?.apply(&url, &Access::default())))
            .collect();
        all.into_iter().map(|one| one.join()).collect()
    });
    for one in applied {
        one.map_err(|_| anyhow::anyhow!("it panicked"))??;
    }
    schema()?.check(&url, &Access::default())?;
    let left = schema()?.apply(&url, &Access::default())?;
    ensure!(left.is_empty(), "{left:?} was left to do");
    Ok(())
}

#[test]
fn a_password_is_asked_for_and_never_told() -> Result<()> {
    let ring = Ring::start_with(
        1,
        "authenticator: PasswordAuthenticator\nauthorizer: CassandraAuthorizer\n",
    )?;
    let url = ring.url();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    let apply = |password: &str| {
        std::fs::write(&file, format!("{password}\n"))?;
        let file = file.to_str().context("a path is text")?;
        aggregator(&[
            "schema",
            "apply",
            "--replication",
            "1",
            "--store",
            &url,
            "--store-user",
            "cassandra",
            "--store-password-file",
            file,
        ])
    };
    let without = aggregator(&["schema", "apply", "--replication", "1", "--store", &url])?;
    ensure!(
        without.code == Some(1) && without.stderr.contains("--store-password-file"),
        "{}",
        without.stderr
    );
    let wrong = apply("swordfish")?;
    ensure!(wrong.code == Some(1), "a wrong password was taken");
    ensure!(
        !wrong.stderr.contains("swordfish"),
        "the password is in: {}",
        wrong.stderr
    );
    // Cassandra makes its first user some seconds after its start.
    insight_tests::wait::eventually(
        insight_tests::wait::PATIENCE,
        "the right password to be taken",
        || apply("cassandra")?.stdout().map(drop),
    )
}
