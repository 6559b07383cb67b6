//! Readings of the kernel become what was added since the last batch.

mod accounts;
mod live;
mod row;
#[cfg(test)]
mod tests;
mod totals;

pub use accounts::Accounts;
pub use live::{Baseline, Live};
pub use row::{FlowRow, batch_columns};
pub use totals::Totals;
