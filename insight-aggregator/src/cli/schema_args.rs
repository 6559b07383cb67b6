//! The command line of `schema`.

use clap::{Args, Subcommand};

use super::access::AccessArgs;
use crate::store::Replication;

#[derive(Debug, Args)]
#[command(after_help = "\
`serve` never makes or changes tables. Run `apply` once, before the first start and before a start with another version or a longer --retention.

Examples:
  insight-aggregator schema print --store cassandra://db1/insight
  insight-aggregator schema apply --store cassandra://db1,db2/insight?dc=dc1 --replication dc1:3
  insight-aggregator schema check --store cassandra://db1/insight")]
pub(super) struct SchemaArgs {
    #[command(subcommand)]
    pub(super) verb: SchemaVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum SchemaVerb {
    /// Prints the statements, for who applies them otherwise
    Print(SchemaOf),
    /// Makes what is missing, and brings an older version up to this one; without effect where nothing is
    Apply(SchemaOf),
    /// Fails, with the command that helps, if `serve` could not start
    Check(SchemaOf),
}

/// Whose schema.
#[derive(Clone, Debug, Args)]
pub(super) struct SchemaOf {
    /// The store: cassandra://HOST[:PORT][,HOST…]/KEYSPACE[?dc=NAME]
    #[arg(long, env = "INSIGHT_STORE", value_name = "URL")]
    pub(super) store: String,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// How long everything is kept at least; `serve --retention` may be less
    #[arg(
        long,
        env = "INSIGHT_RETENTION",
        value_name = "DURATION",
        default_value = "7d"
    )]
    pub(super) retention: String,
    /// Copies of a new keyspace: a number, or one for each data centre
    #[arg(long, value_name = "3|DC:3,DC:2", default_value = "3")]
    pub(super) replication: Replication,
}
