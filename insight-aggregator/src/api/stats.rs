//! What the readers' side counts about itself, for `/metrics`.

use crate::ingest::stats::{Count, Spent};

/// What the readers' side counts about itself.
#[derive(Debug, Default)]
pub struct ApiStats {
    /// Graphs made to answer one question.
    pub builds: Spent,
    /// Graphs made for subscribers.
    pub feed_builds: Spent,
    /// Questions that could not be answered because they are wrong.
    pub bad_queries: Count,
    /// Questions that could not be answered because something failed here.
    pub failed_queries: Count,
    /// Subscribers told that updates were lost because they read too slowly.
    pub lost_slow_reader: Count,
    /// Subscribers told that updates were lost because their resume token is unknown.
    pub lost_unknown_token: Count,
    /// Subscriptions refused because there are too many.
    pub refused_subscribers: Count,
}
