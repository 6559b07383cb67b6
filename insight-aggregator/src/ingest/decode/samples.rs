//! A batch's CPU and memory samples.

use insight_proto::v1;

use super::BadBatch;
use super::owners::Owners;
use crate::ingest::limits::MAX_METRICS;
use crate::model::{EntityId, Metrics, UnixMs};

/// Checks every sample and names its entity.
pub(super) fn metrics(
    samples: &[v1::MetricSample],
    owners: &Owners,
    at: UnixMs,
) -> Result<Vec<(EntityId, Metrics)>, BadBatch> {
    if samples.len() > MAX_METRICS {
        return Err(BadBatch::too_many("metrics", samples.len(), MAX_METRICS));
    }
    let sample = |(row, sample): (usize, &v1::MetricSample)| {
        let entity = owners.get(sample.cgroup_id).ok_or_else(|| {
            BadBatch::at(
                "metrics.cgroup_id",
                row,
                format!("{} is not in owners", sample.cgroup_id),
            )
        })?;
        let metrics = Metrics {
            at,
            cpu_usage_ns: sample.cpu_usage_ns,
            cpu_user_ns: sample.cpu_user_ns,
            cpu_system_ns: sample.cpu_system_ns,
            cfs_periods: sample.cfs_periods,
            cfs_throttled_periods: sample.cfs_throttled_periods,
            cfs_throttled_ns: sample.cfs_throttled_ns,
            cpu_limit_millicores: sample.cpu_limit_millicores,
            memory_usage_bytes: sample.memory_usage_bytes,
            memory_working_set_bytes: sample.memory_working_set_bytes,
            memory_rss_bytes: sample.memory_rss_bytes,
            memory_cache_bytes: sample.memory_cache_bytes,
            memory_limit_bytes: sample.memory_limit_bytes,
            oom_kills: sample.oom_kills,
            run_delay_ns: sample.run_delay_ns,
            runs: sample.runs,
        };
        Ok((entity.id.clone(), metrics))
    };
    samples.iter().enumerate().map(sample).collect()
}
