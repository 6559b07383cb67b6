//! Store folders that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use insight_tests::needs_root;
use insight_tests::product::{Aggregator, free_port, program, run_once, serve_args};
use tempfile::TempDir;

use crate::stored::Stored;
use crate::{FAILED, as_nobody, expect};

#[test]
fn a_store_that_cannot_be_is_left_alone() -> Result<()> {
    needs_root!("a store that cannot be is left alone");
    let folder = TempDir::with_prefix("insight-stores-")?;
    let serve_on =
        |store: &Path| -> Result<Vec<String>> { Ok(serve_args(store, free_port()?, free_port()?)) };
    let refused = |store: &Path, parts: &[&str]| -> Result<()> {
        let mut command = Command::new(program("insight-aggregator")?);
        command.args(serve_on(store)?);
        let shown = store.display().to_string();
        let parts = [&["hint:", &shown], parts].concat();
        expect(&run_once(command)?, FAILED, &parts)
    };

    let file = folder.path().join("file");
    fs::write(&file, "mine")?;
    refused(&file, &["folder"])?;
    assert_eq!(fs::read_to_string(&file)?, "mine");

    let others = folder.path().join("others");
    fs::create_dir(&others)?;
    fs::write(others.join("letter"), "mine")?;
    refused(&others, &["not empty", "letter"])?;
    let left: Vec<_> = fs::read_dir(&others)?.collect::<Result<_, _>>()?;
    assert_eq!(left.len(), 1, "{left:?}");

    // A folder of root's, which nobody else may write.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let locked = folder.path().join("locked");
    fs::create_dir(&locked)?;
    for store in [locked.clone(), locked.join("store")] {
        let mut command = as_nobody("insight-aggregator")?;
        command.args(serve_on(&store)?);
        let shown = store.display().to_string();
        expect(
            &run_once(command)?,
            FAILED,
            &["hint:", &shown, "write", "denied"],
        )?;
    }
    assert_eq!(fs::read_dir(&locked)?.count(), 0);
    Ok(())
}

#[test]
fn a_newer_or_busy_store_is_left_alone() -> Result<()> {
    let mut aggregator = Aggregator::start()?;
    let reader = aggregator.reader()?;
    let stored = Stored::put(&aggregator, &reader)?;
    let store = aggregator.store();
    let second = |parts: &[&str]| -> Result<()> {
        let mut command = Command::new(program("insight-aggregator")?);
        command.args(serve_args(&store, free_port()?, free_port()?));
        expect(&run_once(command)?, FAILED, parts)
    };
    let holder = aggregator.daemon.pid()?.to_string();
    second(&["in use", &holder, "hint:"])?;
    stored.expect_unchanged(&reader)?;

    aggregator.daemon.stop()?;
    let mark = store.join("FORMAT");
    let current = fs::read_to_string(&mark)?;
    fs::write(&mark, "insight-store 99\n")?;
    second(&["99", "newer version", "hint:"])?;
    assert_eq!(fs::read_to_string(&mark)?, "insight-store 99\n");
    fs::write(&mark, "cassandra\n")?;
    second(&["FORMAT", "hint:"])?;
    fs::write(&mark, current)?;
    aggregator.restart()?;
    stored.expect_unchanged(&reader)
}
