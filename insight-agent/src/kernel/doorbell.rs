//! Rings when a flow is new, so that a new edge need not wait for the interval.

use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, Result};
use aya::maps::{MapData, RingBuf};
use insight_ebpf::abi::FlowKey;
use tokio::io::unix::AsyncFd;

use super::system;

/// Keys of new flows, as they come.
pub struct Doorbell {
    ring: AsyncFd<Ring>,
}

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Doorbell {
    pub(super) fn new(ring: RingBuf<MapData>) -> Result<Self> {
        #[expect(
            unsafe_code,
            reason = "tokio wants the promise that the descriptor stays"
        )]
        // SAFETY: the ring buffer owns its descriptor, keeps it for life, and lives as long as its registration.
        let ring = unsafe { AsyncFd::register(Ring(ring)) };
        let ring = ring.context("watch the ring buffer of new flows")?;
        Ok(Self { ring })
    }

    /// Waits until it rings.
    pub async fn ring(&self) -> Result<()> {
        let mut ready = self.ring.readable().await.context("wait for new flows")?;
        ready.clear_ready();
        Ok(())
    }

    /// The flows that rang since the last call.
    pub fn take(&mut self) -> Vec<FlowKey> {
        let ring = &mut self.ring.get_mut().0;
        let mut keys = Vec::new();
        while let Some(item) = ring.next() {
            keys.extend(system::values::<FlowKey>(&item));
        }
        keys
    }
}
