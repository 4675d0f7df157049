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

/// Where storage waits for the query's turn, in the middle of what takes long; nowhere by default.
#[derive(Debug, Clone, Default)]
pub struct Pauses(Option<Arc<dyn Pace>>);

impl Pauses {
    /// As [`Pace::pass`].
    pub fn pass(&self) {
        if let Some(pace) = &self.0 {
            pace.pass();
        }
    }
}

/// They change nothing about what is selected.
impl PartialEq for Pauses {
    fn eq(&self, _: &Self) -> bool {
        true
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

    /// The pauses of its storage.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses(self.pace.clone())
    }

    /// Fails where the query has to end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if let Some(pace) = &self.pace {
            pace.pass();
        }
        self.end()
    }

    /// As [`check`](Self::check), but does not wait for a turn.
    pub(crate) fn end(&self) -> Result<(), QueryError> {
        if self.cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if self.clock.now() >= deadline => Err(QueryError::TimedOut),
            _ => Ok(()),
        }
    }
}

/// After about so many looks at samples it is looked whether the query may go on.
const LOOKS_MAX: usize = 16 << 10;

/// Waits for the query's turn in the middle of a series too: there may be thousands of steps, and thousands of samples in the
/// window of each.
#[derive(Debug)]
pub(crate) struct Breaks<'c> {
    control: &'c Control,
    looks: usize,
    goes_on: bool,
}

impl<'c> Breaks<'c> {
    pub(crate) fn new(control: &'c Control) -> Self {
        Breaks { control, looks: 0, goes_on: true }
    }

    /// Takes down that so many samples were looked at. If it gives false the query has to end, and what the series is given does
    /// not matter any more.
    #[inline]
    pub(crate) fn goes_on(&mut self, looks: usize) -> bool {
        self.looks += looks;
        if self.looks >= LOOKS_MAX {
            self.looks = 0;
            self.goes_on = self.goes_on && self.control.check().is_ok();
        }
        self.goes_on
    }
}
