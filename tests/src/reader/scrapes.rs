//! An aggregator that is scraped all the time, as Prometheus does it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::http;
use crate::wait::pause;

/// From one scrape to the next: no moment at which a name may be wrong shall be missed.
const EVERY: Duration = Duration::from_millis(250);

/// Scrapes until it is dropped.
pub struct Scrapes {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<String>>>,
}

impl Scrapes {
    /// Of the aggregator whose HTTP port of 127.0.0.1 this is.
    pub fn start(http_port: u16) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http_port));
        let scrape = move || {
            loop {
                let text = http::get_ok_from(address, "/metrics")?;
                if told.load(Ordering::Relaxed) {
                    return Ok(text);
                }
                pause(EVERY);
            }
        };
        Self {
            over,
            thread: Some(thread::spawn(scrape)),
        }
    }

    /// The last one, made now; an error if one has failed.
    pub fn end(mut self) -> Result<String> {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        let ended = thread.map(JoinHandle::join);
        ended
            .unwrap_or_else(|| Ok(Err(anyhow!("it has ended"))))
            .map_err(|_| anyhow!("the scraper panicked"))?
    }
}

impl Drop for Scrapes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
