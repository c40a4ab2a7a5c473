//! Counts what passes in the exchanges that it is put on, whatever else their connections carry.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Passed;

/// A count of exchanges and of their bytes, on the transport: heads, chunks and frames included.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    exchanges: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

impl Meter {
    /// How many exchanges it was put on.
    pub(crate) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::Relaxed)
    }

    /// What has passed in them so far.
    pub(crate) fn passed(&self) -> Passed {
        Passed {
            to_server: self.to_server.load(Ordering::Relaxed),
            to_client: self.to_client.load(Ordering::Relaxed),
        }
    }

    pub(super) fn begins(&self) {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self, more: Passed) {
        self.to_server.fetch_add(more.to_server, Ordering::Relaxed);
        self.to_client.fetch_add(more.to_client, Ordering::Relaxed);
    }
}
