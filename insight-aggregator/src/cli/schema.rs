//! `schema`: the tables of a store in Cassandra, printed, applied, checked. Nothing else ever makes or changes them.

use super::args::{SchemaArgs, SchemaVerb};
use super::config::parse_retention;
use super::failure::Failure;
use super::output;
use crate::server::TABLES;
use crate::store::{Schema, WrongSchema};

pub(super) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    let verb = match &args.verb {
        SchemaVerb::Print(of) | SchemaVerb::Apply(of) | SchemaVerb::Check(of) => of.clone(),
    };
    let access = verb.access.resolve()?;
    let retention = parse_retention(&verb.retention)?;
    let schema = Schema::new(&TABLES, retention, verb.replication);
    match args.verb {
        SchemaVerb::Print(_) => {
            let statements = schema
                .statements(&verb.store)
                .map_err(|error| failure(&error))?;
            let text: String = statements.iter().map(|text| format!("{text};\n")).collect();
            output::print(&text)
        }
        SchemaVerb::Apply(_) => {
            let done = schema
                .apply(&verb.store, &access)
                .map_err(|error| failure(&error))?;
            let text: String = done.iter().map(|text| format!("done: {text}\n")).collect();
            output::print(if done.is_empty() {
                "nothing to do\n"
            } else {
                &text
            })
        }
        SchemaVerb::Check(_) => {
            schema
                .check(&verb.store, &access)
                .map_err(|error| failure(&error))?;
            output::print(&format!("schema {} is there\n", schema.version))
        }
    }
}

/// What is wrong with a schema has its own command; the rest is of the way there.
pub(super) fn failure(error: &anyhow::Error) -> Failure {
    match error.downcast_ref::<WrongSchema>() {
        Some(wrong) => Failure::failed(wrong.what.clone(), format!("run: {}", wrong.command)),
        None => Failure::failed(
            format!("{error:#}"),
            "write --store cassandra://HOST/KEYSPACE for a Cassandra that is up, with --store-user and --store-password-file if it asks for them",
        ),
    }
}
