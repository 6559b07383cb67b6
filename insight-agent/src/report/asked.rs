//! What the aggregator asks of this agent.

use std::time::Duration;

use insight_proto::v1::AgentConfig;
use ipnet::IpNet;
use tracing::warn;

use crate::config::{MAX_INTERVAL, MIN_INTERVAL};
use crate::flows::Range;

/// What it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How often to report: the agent's own until the aggregator asks for something else.
    pub interval: Duration,
    /// The cluster's address ranges, none when they are unknown; `None`: it was not heard yet, or says what cannot be right.
    pub ranges: Option<Vec<Range>>,
}

impl Asked {
    /// Before the aggregator was heard.
    pub fn nothing(own: Duration) -> Self {
        Self {
            interval: own,
            ranges: None,
        }
    }

    /// What this configuration asks of an agent whose own interval is `own`.
    pub fn of(config: &AgentConfig, own: Duration) -> Self {
        let ranges: Result<Vec<Range>, _> = config
            .cluster_ranges
            .iter()
            .map(|range| range.parse::<IpNet>().map(Range::from))
            .collect();
        if let Err(error) = &ranges {
            warn!("the aggregator's cluster ranges are not used: {error}");
        }
        Self {
            interval: interval(config.interval_ms).unwrap_or(own),
            ranges: ranges.ok(),
        }
    }
}

/// The interval that is asked for, within what an agent can do; none where it is left to the agent.
fn interval(asked_ms: u32) -> Option<Duration> {
    let asked = Duration::from_millis(asked_ms.into());
    (!asked.is_zero()).then(|| asked.clamp(MIN_INTERVAL, MAX_INTERVAL))
}
