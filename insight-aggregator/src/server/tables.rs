//! All tables of an aggregator, for a store whose tables are made beforehand.

use crate::store::Table;
use crate::{history, ledger};

/// The ledger's, and that of names.
pub const TABLES: [Table; 6] = {
    let [edges, metrics, coverage, entities, sequences] = ledger::TABLES;
    [
        edges,
        metrics,
        coverage,
        entities,
        sequences,
        history::TABLE,
    ]
};
