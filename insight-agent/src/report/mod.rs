//! The stream to the aggregator: nothing leaves the outbox before it is durable there.

mod asked;
mod backoff;
mod outbox;
mod stream;

pub use asked::Asked;
pub use outbox::{MAX_UNACKED, Outbox};
pub use stream::{Identity, Reporter};
