//! Readings of the kernel become what was added since the last batch.

mod account;
mod accounts;
mod dialed;
mod idle;
mod live;
mod own;
mod ranges;
mod row;
#[cfg(test)]
mod tests;
mod totals;

pub use accounts::Accounts;
pub use dialed::{Dialed, translated};
pub use idle::Policy as IdlePolicy;
pub use live::{Baseline, Live};
pub use own::Own;
pub use ranges::{Range, Ranges};
pub use row::{Columns, FlowRow, address};
pub use totals::Totals;
