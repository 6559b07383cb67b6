//! Readings of the kernel become what was added since the last batch.

mod account;
mod accounts;
mod baseline;
mod dialed;
mod idle;
mod own;
mod ranges;
mod row;
#[cfg(test)]
mod tests;
mod totals;

pub use accounts::Accounts;
pub use baseline::Baseline;
pub use dialed::{Dialed, translated};
pub use idle::Policy as IdlePolicy;
pub use own::Own;
pub use ranges::{Range, Ranges};
pub use row::{Columns, FlowRow, address};
pub use totals::Totals;
