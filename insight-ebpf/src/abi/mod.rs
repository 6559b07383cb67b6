//! What kernel and agent exchange.
