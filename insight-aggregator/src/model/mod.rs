//! The words that every room of the aggregator uses.

mod counters;
mod dialed;
mod entity;
mod eras;
mod report;
mod row;
mod rows;
mod time;
mod times;
mod window;

pub use counters::Counters;
pub use dialed::{AllDialed, Dialed, MAX_DIALED, add_dialed};
pub use entity::{Entity, EntityId, Kind, Level};
pub use eras::Eras;
pub use report::{Coverage, Metrics, Report};
pub use row::{Protocol, RowKey, Side, Sum};
pub use rows::Rows;
pub use time::{Minute, UnixMs, now_ms};
pub use times::{BUCKETS, Times};
pub use window::{LOOK_BACK_MS, Window};
