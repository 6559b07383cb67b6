//! The stream to the aggregator: nothing leaves the outbox before it is durable there.

mod asked;
mod backoff;
mod destination;
mod outbox;
mod stream;
mod wire;

pub use asked::Asked;
pub use destination::Destination;
pub use outbox::Outbox;
pub use stream::{Identity, Reporter};
