//! Cassandra's tables: their text, their version, and what is there. Only `insight-aggregator schema apply` makes or changes any.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use scylla::client::session::Session;
use scylla::statement::Consistency;
use scylla::value::CqlTimestamp;
use tokio_stream::StreamExt as _;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::runtime;
use super::session::{connect, statement};
use super::url::Target;
use crate::model::now_ms;
use crate::store::{Access, Table};

/// Counts up with each change of the tables' text.
const VERSION: i32 = 1;

/// Whose version it is in the table of versions, which other parts may share.
const COMPONENT: &str = "store";

/// What a window's first rows must outlive its last ones by, six hours; two in which older names are still asked for; and one by which a clock may be wrong.
const SLACK: Duration = Duration::from_secs(9 * 3_600);

/// Hints of a node that was away are thrown away after this, so it must not be less than the 3 hours for which they are kept.
const GRACE: u32 = 10_800;

/// How many files of a table there are in the end: one for each part of its time.
const PARTS: u64 = 25;

/// How the keyspace is kept: the number of copies in each data centre, or of each one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication(String);

impl std::str::FromStr for Replication {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "it must be a number of copies, for example 3, or one for each data centre, for example dc1:3,dc2:2";
        let copies = |text: &str| {
            text.parse::<u8>()
                .ok()
                .filter(|copies| (1..=9).contains(copies))
        };
        if let Some(copies) = copies(text) {
            return Ok(Self(format!("'replication_factor': {copies}")));
        }
        let each = text.split(',').map(|one| {
            let (dc, number) = one.split_once(':')?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            (!dc.is_empty() && dc.chars().all(plain))
                .then_some(format!("'{dc}': {}", copies(number)?))
        });
        each.collect::<Option<Vec<_>>>()
            .map(|each| Self(each.join(", ")))
            .ok_or_else(|| form.to_owned())
    }
}

/// What is to be there.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The version that is written, or looked for.
    pub version: i32,
    /// The store's tables.
    pub tables: Vec<Table>,
    /// How long rows are kept at least.
    pub retention: Duration,
    /// How a new keyspace is kept.
    pub replication: Replication,
}

impl Schema {
    /// This program's.
    pub fn new(tables: &[Table], retention: Duration, replication: Replication) -> Self {
        Self {
            version: VERSION,
            tables: tables.to_vec(),
            retention,
            replication,
        }
    }

    /// The statements, in order, for the keyspace that the URL names.
    pub fn statements(&self, url: &str) -> Result<Vec<String>> {
        Ok(self.statements_in(&Target::parse(url)?.keyspace))
    }

    fn statements_in(&self, keyspace: &str) -> Vec<String> {
        let ttl = ttl(self.retention);
        let mut all = vec![
            format!(
                "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', {}}} AND durable_writes = true",
                self.replication.0
            ),
            create(
                keyspace,
                "schema_version",
                "component text, version int, applied_at timestamp, checksum text, PRIMARY KEY (component, version)",
                "",
            ),
        ];
        all.extend(definitions(&self.tables).into_iter().map(|(name, columns, often)| {
            let hours = (u64::from(ttl) / 3_600).div_ceil(PARTS);
            let compaction = match often {
                // Rows that are written again and again: few, and read by one look.
                true => "'class': 'LeveledCompactionStrategy'".to_owned(),
                false => format!("'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': {hours}"),
            };
            let options = format!(
                " AND compaction = {{{compaction}}} AND default_time_to_live = {ttl} AND gc_grace_seconds = {GRACE} AND read_repair = 'NONE' \
                 AND compression = {{'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}}"
            );
            create(keyspace, &name, columns, &options)
        }));
        all
    }

    /// Makes what is missing, and says what was done. Twice, or by two at once, does no harm.
    pub fn apply(&self, url: &str, access: &Access) -> Result<Vec<String>> {
        let target = Target::parse(url)?;
        runtime()?.block_on(async {
            let session = connect(&target, access).await?;
            self.apply_by(session.get_session(), &target.keyspace).await
        })
    }

    async fn apply_by(&self, session: &Session, keyspace: &str) -> Result<Vec<String>> {
        let found = look(session, keyspace, &self.tables).await?;
        match found.versions.first() {
            Some((version, _)) if *version > self.version => {
                bail!(
                    "keyspace {keyspace} has schema {version}, which is newer than {} of this program",
                    self.version
                )
            }
            _ => {}
        }
        let mut done = Vec::new();
        if !found.keyspace {
            let nodes = session.get_cluster_state().get_nodes_info().len();
            let copies = self
                .replication
                .0
                .strip_prefix("'replication_factor': ")
                .and_then(|copies| copies.parse().ok());
            ensure!(
                copies.is_none_or(|copies: usize| copies <= nodes),
                "{} copies need as many nodes, and Cassandra has {nodes} here: write --replication {nodes}, if so few are enough",
                copies.unwrap_or_default()
            );
        }
        let versions = i32::from(!found.ttl.contains_key("schema_version"));
        for text in self.statements_in(keyspace) {
            let name = text
                .split([' ', '.'])
                .skip_while(|word| *word != "EXISTS")
                .nth(2)
                .unwrap_or_default();
            let there = if text.starts_with("CREATE KEYSPACE") {
                found.keyspace
            } else {
                found.ttl.contains_key(name)
            };
            if !there {
                session
                    .query_unpaged(text.as_str(), ())
                    .await
                    .with_context(|| format!("running {text}"))?;
                done.push(text);
            }
        }
        for (name, _, _) in definitions(&self.tables) {
            if let Some(kept) = found
                .ttl
                .get(&name)
                .filter(|kept| **kept != ttl(self.retention))
            {
                let text = format!(
                    "ALTER TABLE {keyspace}.{name} WITH default_time_to_live = {}",
                    ttl(self.retention)
                );
                session
                    .query_unpaged(text.as_str(), ())
                    .await
                    .with_context(|| format!("running {text}, was {kept}"))?;
                done.push(text);
            }
        }
        if versions == 1 || found.versions.first() != Some(&(self.version, checksum(&self.tables)))
        {
            let insert = statement(
                format!(
                    "INSERT INTO {keyspace}.schema_version (component, version, applied_at, checksum) VALUES (?, ?, ?, ?)"
                ),
                Consistency::LocalQuorum,
            );
            let values = (
                COMPONENT,
                self.version,
                CqlTimestamp(now_ms()),
                checksum(&self.tables),
            );
            session
                .query_unpaged(insert, values)
                .await
                .context("noting the version")?;
            done.push(format!("version {} is noted", self.version));
        }
        Ok(done)
    }

    /// Says what is there; an error says what to do.
    pub fn check(&self, url: &str, access: &Access) -> Result<()> {
        let target = Target::parse(url)?;
        runtime()?.block_on(async {
            let session = connect(&target, access).await?;
            let found = look(session.get_session(), &target.keyspace, &self.tables).await?;
            found.refuse_unless(self, url, &target.keyspace)
        })
    }
}

/// Seconds for which rows are kept.
fn ttl(retention: Duration) -> u32 {
    // Cassandra takes up to 20 years.
    u32::try_from((retention + SLACK).as_secs())
        .unwrap_or(u32::MAX)
        .min(630_720_000)
}

/// Tables by name, columns, and whether their rows are written again and again.
fn definitions(tables: &[Table]) -> Vec<(String, &'static str, bool)> {
    const ROWS: &str = "cluster text, win bigint, part blob, clus blob, value blob, PRIMARY KEY ((cluster, win, part), clus)";
    let own = [
        (
            "windows",
            "cluster text, tbl text, win bigint, dropped boolean, PRIMARY KEY ((cluster, tbl), win)",
        ),
        (
            "writer",
            "cluster text, name text, PRIMARY KEY (cluster, name)",
        ),
        (
            "journal",
            "cluster text, writer text, chunk int, moment bigint, chunks int, data blob, PRIMARY KEY ((cluster, writer), chunk)",
        ),
    ];
    let own = own.map(|(name, columns)| (name.to_owned(), columns, true));
    let rows = tables
        .iter()
        .map(|table| (table.name.to_owned(), ROWS, table.overwritten));
    own.into_iter().chain(rows).collect()
}

/// Each table has an id that follows from its name: two that make it at once at two nodes make the same table.
fn create(keyspace: &str, name: &str, columns: &str, options: &str) -> String {
    let id = format!("{:032x}", xxh3_128(format!("{keyspace}.{name}").as_bytes()));
    let id = format!(
        "{}-{}-{}-{}-{}",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    );
    format!("CREATE TABLE IF NOT EXISTS {keyspace}.{name} ({columns}) WITH id = {id}{options}")
}

/// Of all that must be so for rows to be understood.
fn checksum(tables: &[Table]) -> String {
    let text: Vec<String> = definitions(tables)
        .into_iter()
        .map(|(name, columns, _)| format!("{name} ({columns})"))
        .collect();
    format!("{:016x}", xxh3_64(text.join("\n").as_bytes()))
}

/// What is there.
pub(super) struct Found {
    keyspace: bool,
    /// Seconds for which a table's rows are kept.
    ttl: BTreeMap<String, u32>,
    /// Versions with their checksums, the newest first.
    versions: Vec<(i32, String)>,
    expected: Vec<Table>,
}

/// Looks, and changes nothing.
pub(super) async fn look(session: &Session, keyspace: &str, tables: &[Table]) -> Result<Found> {
    let one = |text: &str| statement(text, Consistency::One);
    let select = one("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?");
    let mut rows = session
        .query_iter(select, (keyspace,))
        .await?
        .rows_stream::<(String,)>()?;
    let has_keyspace = rows.next().await.transpose()?.is_some();
    let select = one(
        "SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ?",
    );
    let mut rows = session
        .query_iter(select, (keyspace,))
        .await?
        .rows_stream::<(String, i32)>()?;
    let mut ttl = BTreeMap::new();
    while let Some((table, kept)) = rows.next().await.transpose()? {
        ttl.insert(table, u32::try_from(kept).unwrap_or(0));
    }
    let mut versions = Vec::new();
    if ttl.contains_key("schema_version") {
        let text =
            format!("SELECT version, checksum FROM {keyspace}.schema_version WHERE component = ?");
        let select = statement(text, Consistency::LocalQuorum);
        let rows = session
            .query_iter(select, (COMPONENT,))
            .await
            .context("reading the schema's version")?;
        let mut rows = rows.rows_stream::<(i32, String)>()?;
        while let Some(row) = rows.next().await.transpose()? {
            versions.push(row);
        }
        versions.sort_by(|a, b| b.cmp(a));
    }
    Ok(Found {
        keyspace: has_keyspace,
        ttl,
        versions,
        expected: tables.to_vec(),
    })
}

impl Found {
    /// An error if rows cannot be kept there by this program for so long.
    pub(super) fn refuse(&self, url: &str, keyspace: &str, retention: Duration) -> Result<()> {
        let schema = Schema::new(&self.expected, retention, Replication(String::new()));
        self.refuse_unless(&schema, url, keyspace)
    }

    fn refuse_unless(&self, schema: &Schema, url: &str, keyspace: &str) -> Result<()> {
        let wrong = |what: String, verb: &str| {
            Err(anyhow::Error::new(WrongSchema {
                what,
                command: format!("insight-aggregator schema {verb} --store '{url}'"),
            }))
        };
        let own = schema.version;
        let wanted = ttl(schema.retention);
        let short = definitions(&schema.tables)
            .into_iter()
            .find_map(|(name, _, _)| {
                let kept = self.ttl.get(&name).copied()?;
                (kept < wanted).then_some((name, kept))
            });
        let missing = definitions(&schema.tables)
            .into_iter()
            .find(|(name, _, _)| !self.ttl.contains_key(name));
        match (self.versions.first(), missing, short) {
            (None, _, _) if !self.keyspace => wrong(
                format!("there is no keyspace {keyspace}"),
                "apply --replication 3",
            ),
            (None, _, _) => wrong(
                format!("keyspace {keyspace} has no schema of ours"),
                "apply",
            ),
            (Some((version, _)), _, _) if *version < own => wrong(
                format!("keyspace {keyspace} has schema {version}, this program needs {own}"),
                "apply",
            ),
            (Some((version, _)), _, _) if *version > own => wrong(
                format!(
                    "keyspace {keyspace} has schema {version}, newer than {own} of this program: use the version of it that applied that"
                ),
                "check",
            ),
            (Some((version, sum)), _, _) if *sum != checksum(&schema.tables) => wrong(
                format!(
                    "keyspace {keyspace} has another schema {version} than this program's: name another keyspace"
                ),
                "print",
            ),
            (Some(_), Some((name, _, _)), _) => wrong(
                format!("keyspace {keyspace} lacks the table {name}"),
                "apply",
            ),
            (Some(_), None, Some((name, kept))) => wrong(
                format!(
                    "table {keyspace}.{name} keeps rows for {kept} s; a retention of {} s needs {wanted} s",
                    schema.retention.as_secs()
                ),
                &format!("apply --retention {}s", schema.retention.as_secs()),
            ),
            (Some(_), None, None) => Ok(()),
        }
    }
}

/// Rows cannot be kept there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSchema {
    /// What is wrong.
    pub what: String,
    /// The command that helps.
    pub command: String,
}

impl fmt::Display for WrongSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for WrongSchema {}
