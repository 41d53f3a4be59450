//! Numbers that only grow, for those who add up.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the start. Nothing is lost when a connection goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of contents that were sent.
    pub sent: u64,
    /// Bytes of contents that were received.
    pub received: u64,
    /// Connections that came to be, in both directions.
    pub connections: u64,
    /// Connections that were refused here: not admitted, not a member, too many, or with a greeting that is none.
    pub refused_connections: u64,
    /// Incoming connections whose TLS handshake failed or took too long.
    pub failed_handshakes: u64,
    /// Requests that were answered to their end.
    pub answered: u64,
    /// Everything that the guard was told.
    pub incidents: u64,
    /// Of these, what no honest peer does.
    pub violations: u64,
}

/// One number of [`Counts`].
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    pub(crate) connections: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) failed_handshakes: Counter,
    pub(crate) answered: Counter,
    pub(crate) incidents: Counter,
    pub(crate) violations: Counter,
}

impl Counters {
    pub(crate) fn now(&self) -> Counts {
        Counts {
            sent: self.sent.get(),
            received: self.received.get(),
            connections: self.connections.get(),
            refused_connections: self.refused_connections.get(),
            failed_handshakes: self.failed_handshakes.get(),
            answered: self.answered.get(),
            incidents: self.incidents.get(),
            violations: self.violations.get(),
        }
    }
}
