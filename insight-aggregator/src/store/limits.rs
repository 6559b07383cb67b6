//! How large a row may be: the smallest limit of the implementations, so that one never takes what another refuses.

use anyhow::{Result, ensure};

use super::Put;

/// Longest partition and clustering key together, bytes: 64 KiB less the embedded store's own prefix.
pub const MAX_KEY: usize = 65_000;

/// Longest value, bytes: the size that Cassandra's guides name as the largest sensible one is 1 MB, its hard limit is
/// half a commit log segment, 16 MiB, for the whole request.
pub const MAX_VALUE: usize = 8 << 20;

/// Refuses a batch that holds a row or a table name which not every implementation can keep.
pub(super) fn check(batch: &[Put]) -> Result<()> {
    for put in batch {
        let key = put.partition.len() + put.clustering.len();
        ensure!(
            key <= MAX_KEY,
            "a row of table {} has a key of {key} bytes; at most {MAX_KEY} can be stored",
            put.table
        );
        ensure!(
            put.value.len() <= MAX_VALUE,
            "a row of table {} has a value of {} bytes; at most {MAX_VALUE} can be stored",
            put.table,
            put.value.len()
        );
        ensure!(
            is_table_name(put.table),
            "{:?} is not a table name: use lower-case letters, digits and _",
            put.table
        );
    }
    Ok(())
}

/// Lower-case letters, digits and `_`, at least one.
fn is_table_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: &'static str, key: usize, value: usize) -> Put {
        Put {
            table,
            window: 1,
            partition: vec![0; key],
            clustering: Vec::new(),
            value: vec![0; value],
        }
    }

    #[test]
    fn rows_within_the_limits_pass_and_others_name_what_is_wrong() {
        check(&[put("edge_1m", MAX_KEY, MAX_VALUE)]).unwrap();
        let key = check(&[put("edge_1m", MAX_KEY + 1, 0)]).unwrap_err();
        assert!(key.to_string().contains("key of 65001 bytes"), "{key}");
        let value = check(&[put("edge_1m", 1, MAX_VALUE + 1)]).unwrap_err();
        assert!(value.to_string().contains("edge_1m"), "{value}");
        for name in ["", "Edge", "a-b", "a/b", "é"] {
            assert!(check(&[put(name, 1, 1)]).is_err(), "{name}");
        }
    }
}
