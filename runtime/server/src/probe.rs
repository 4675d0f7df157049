//! Readiness: what `/-/ready` answers, shared between the component and its HTTP server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the component serves. Starts as not ready; clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    ready: Arc<AtomicBool>,
}

impl Probe {
    /// A probe that is not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether the component serves from now on.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Whether the component serves.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
