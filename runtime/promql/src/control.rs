//! What ends a query from outside: a timeout, a caller that went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prom_model::{Clock, TimestampMs};

use crate::{Budget, QueryError};

/// Cancels a query from another thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the query at its next look, at the latest with the next batch of series.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a run of a query is given from outside.
#[derive(Debug, Clone)]
pub struct Control {
    /// Set from outside to end the query.
    pub cancel: Cancel,
    /// Tells the time for the deadline and for the times in statistics.
    pub clock: Arc<dyn Clock>,
    /// When the query must have ended.
    pub deadline: Option<TimestampMs>,
    /// The memory it may hold.
    pub budget: Budget,
}

impl Control {
    /// No deadline, no limit.
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Control { cancel: Cancel::default(), clock, deadline: None, budget: Budget::unlimited() }
    }

    /// Fails where the query has to end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if self.clock.now() >= deadline => Err(QueryError::TimedOut),
            _ => Ok(()),
        }
    }
}
