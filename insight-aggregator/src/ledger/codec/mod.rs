//! How the ledger's rows look in the store.
//!
//! Every value starts with the version of its encoding. Rows of flows are written in great numbers: many share a value, in an
//! encoding of their own. The others are protobuf messages that only this room knows.

mod bytes;
mod dialed;
mod key;
mod keys;
mod message;
mod rows;

use anyhow::{Context as _, Result, ensure};

use crate::store::WindowId;

pub(super) use key::{KeyEncoder, decode_key, hash_key};
pub(super) use keys::{KeyWriter, each_key};
pub(super) use message::{
    decode_coverage, decode_entity, decode_metrics, decode_sequences, encode_coverage,
    encode_entity, encode_metrics, encode_sequences,
};
pub(super) use rows::{Named, RowWriter, each_row};

/// Version of every encoding.
const VERSION: u8 = 2;

/// What is put together into one value becomes the next one from so many bytes on: Cassandra's guides name 1 MB as the largest
/// sensible value, and reading one of these means reading all of it.
const FULL: usize = 256 << 10;

/// The content of a value after its version.
fn content(value: &[u8]) -> Result<&[u8]> {
    let (version, content) = value.split_first().context("the value is empty")?;
    ensure!(
        *version == VERSION,
        "the value has version {version}, and this program reads version {VERSION}; start the version that wrote it, \
         or ask for a time range without it"
    );
    Ok(content)
}

/// Says where a value that cannot be read is.
pub(super) fn located<T>(result: Result<T>, table: &str, window: WindowId) -> Result<T> {
    result.with_context(|| {
        format!(
            "reading table {table}, window {window} (spans of 6 hours since 1970), of the ledger"
        )
    })
}
