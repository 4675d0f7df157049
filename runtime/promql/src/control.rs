//! What ends a query from outside: a timeout, a caller that went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prom_model::{Clock, TimestampMs};

use crate::{Budget, QueryError, Stopwatch};

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

/// Where a query waits for its turn. Whoever runs many queries at once lets the long ones wait here while short ones are
/// there, so that no query has to wait for the end of another.
pub trait Pace: std::fmt::Debug + Send + Sync {
    /// Called often, from each thread of the query, between two pieces of work of at most some milliseconds; may block.
    /// Whoever blocks must return soon after the query was cancelled.
    fn pass(&self);
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
    /// Where it waits for its turn.
    pub pace: Option<Arc<dyn Pace>>,
    /// Whether samples are counted for each step too.
    pub step_stats: bool,
    /// Measures what each operator does; the answer says it then.
    pub stopwatch: Option<Stopwatch>,
}

impl Control {
    /// No deadline, no limit.
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Control {
            cancel: Cancel::default(),
            clock,
            deadline: None,
            budget: Budget::unlimited(),
            pace: None,
            step_stats: false,
            stopwatch: None,
        }
    }

    /// Fails where the query has to end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if let Some(pace) = &self.pace {
            pace.pass();
        }
        if self.cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if self.clock.now() >= deadline => Err(QueryError::TimedOut),
            _ => Ok(()),
        }
    }
}
