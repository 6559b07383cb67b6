//! The connection to Cassandra: how requests are sent, and what an error means.

use std::time::Duration;

use anyhow::{Context as _, Result};
use scylla::client::Compression;
use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;

use super::access;
use super::url::Target;
use crate::store::Access;

/// How long a node may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a request may take with its retries at other nodes: beyond Cassandra's own limits, 2 s for writes and 5 s for reads.
const REQUEST: Duration = Duration::from_secs(12);

/// Rows in a page of an answer. Most rows are far below a kilobyte; the largest that the ledger writes, 256 KiB, are few in a partition.
const PAGE: i32 = 1_000;

/// Connects. Statements are prepared once, go to a node that has their row, and are tried at another node if they are idempotent, which
/// all are; none is sent to two nodes at once.
pub(super) async fn connect(target: &Target, access: &Access) -> Result<CachingSession> {
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(dc) = &target.dc {
        policy = policy.prefer_datacenter(dc.clone());
    }
    let profile = ExecutionProfile::builder()
        .load_balancing_policy(policy.build())
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(REQUEST))
        .speculative_execution_policy(None)
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&target.hosts)
        .connection_timeout(CONNECT)
        .compression(Some(Compression::Lz4))
        // Of our keyspace, whose replication says which nodes have a row; no columns.
        .keyspaces_to_fetch([target.keyspace.as_str()])
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(tls) = access::tls(access)? {
        builder = builder.tls_context(Some(tls));
    }
    if let Some((user, password)) = &access.user {
        builder = builder.user(user, password.reveal());
    }
    let hosts = target.hosts.join(", ");
    let session = builder.build().await.with_context(|| {
        format!("cannot connect to Cassandra at {hosts}; make sure that it listens there and takes this user, and that TLS is used as it wants")
    })?;
    Ok(CachingSessionBuilder::new(session)
        .max_capacity(256)
        .build())
}

/// A statement with what all have in common.
pub(super) fn statement(text: impl Into<String>, consistency: Consistency) -> Statement {
    let mut statement = Statement::new(text);
    statement.set_is_idempotent(true);
    statement.set_consistency(consistency);
    statement.set_page_size(PAGE);
    statement
}

/// Whether the same request may work later: nodes that are away, busy, or too few.
pub(super) fn may_pass(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(_) => false,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _)) => {
            transient(error)
        }
        ExecutionError::LastAttemptError(error) => !matches!(
            error,
            RequestAttemptError::SerializationError(_)
                | RequestAttemptError::CqlRequestSerialization(_)
        ),
        ExecutionError::PrepareError(PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::DbError(error, _),
        }) => transient(error),
        _ => true,
    }
}

fn transient(error: &DbError) -> bool {
    !matches!(
        error,
        DbError::SyntaxError
            | DbError::Invalid
            | DbError::Unauthorized
            | DbError::AuthenticationError
            | DbError::ConfigError
            | DbError::ProtocolError
            | DbError::AlreadyExists { .. }
    )
}
