//! What every store promises, tried on a real Cassandra; and what it promises less, or otherwise.
#![expect(
    clippy::unwrap_used,
    reason = "the contract is written as the aggregator's own tests are"
)]

/// As in the aggregator, whose own tests of the other stores these are.
mod store {
    pub(crate) use insight_aggregator::store::*;

    #[expect(dead_code, reason = "the one promise that is tried otherwise")]
    #[path = "../../../../insight-aggregator/src/store/contract.rs"]
    pub(crate) mod contract;

    #[path = "../../../../insight-aggregator/src/store/kill.rs"]
    pub(crate) mod kill;

    mod less;
    mod whole;
}
