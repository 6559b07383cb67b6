//! How much an agent may say at once. A batch beyond a limit is refused whole, with the limit in the message.

use std::time::Duration;

/// Rows of one batch: twice what an agent puts into one.
pub const MAX_ROWS: usize = 1_000_000;
/// Entries of a batch's endpoint dictionary: two for each row.
pub const MAX_ENDPOINTS: usize = 2 * MAX_ROWS;
/// Dialed addresses of one batch: one for each row, more than a balancer on every socket makes.
pub const MAX_DIALED: usize = MAX_ROWS;
/// Owners of one batch: a node of 500 pods has a few thousand cgroups, busy build hosts some ten thousand.
pub const MAX_OWNERS: usize = 100_000;
/// Metric samples of one batch: one for each owner.
pub const MAX_METRICS: usize = MAX_OWNERS;
/// Bytes of a node's name: the longest DNS name.
pub const MAX_NODE_NAME: usize = 253;
/// Bytes of a cgroup's path: PATH_MAX.
pub const MAX_PATH: usize = 4096;
/// Bytes of an owner's other strings: NAME_MAX, which bounds a unit's name.
pub const MAX_WORD: usize = 255;
/// Bytes of the words of a hello.
pub const MAX_HELLO_WORD: usize = 255;
/// The longest time that one batch may cover: an agent that was cut off longer has a wrong clock.
pub const MAX_COVER: Duration = Duration::from_secs(366 * 24 * 3600);
/// The largest count of one row: an exbibyte takes a 400 Gbit/s link eight months. What is above is garbage, and sums of
/// what is below cannot overflow soon.
pub const MAX_COUNT: u64 = 1 << 60;
/// Bytes of one decoded message: MAX_ROWS rows take about 40 bytes each, dictionary included.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Agents that are connected at the same time: twice the largest supported Kubernetes cluster.
pub const MAX_AGENTS: usize = 10_000;
