//! One query that is ready to be evaluated, on whatever thread.

use std::sync::Arc;
use std::time::Duration;

use prom_model::{Clock, PromDuration};
use promql::{Answer, Budget, Cancel, Control, Prepared, QueryError, SeriesSource, Stopwatch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::turns::{Turn, Turns};
use crate::json::Timings;

/// An answer, and what it took.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) answer: Answer,
    pub(crate) timings: Timings,
    /// Until the answer is written, too, long queries wait for a short one.
    pub(crate) turn: Arc<Turn>,
}

/// When a query was asked, and how long that took to understand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) preparation: Duration,
    pub(super) timeout: Duration,
}

impl Asked {
    pub(super) fn left(self) -> Duration {
        self.timeout.saturating_sub(self.at.elapsed())
    }
}

/// Ends a query when the one who waits for it is gone.
pub(super) struct CancelOnDrop {
    pub(super) cancel: Cancel,
    pub(super) ended: CancellationToken,
    pub(super) turns: Arc<Turns>,
    /// It has ended already.
    pub(super) done: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.ended.cancel();
        if !self.done {
            self.cancel.cancel();
            self.turns.look();
        }
    }
}

/// A query and all that its evaluation needs but memory and a turn.
pub(super) struct Query {
    pub(super) prepared: Prepared,
    pub(super) source: Arc<dyn SeriesSource>,
    pub(super) asked: Asked,
    pub(super) cancel: Cancel,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) step_stats: bool,
    pub(super) analyze: bool,
}

impl Query {
    /// Evaluates it on this thread.
    pub(super) fn evaluate(self, budget: Budget, turn: Turn) -> Result<Evaluated, QueryError> {
        let begun = Instant::now();
        let asked = self.asked;
        let queue = (begun - asked.at).saturating_sub(asked.preparation);
        let millis = i64::try_from(asked.left().as_millis()).unwrap_or(i64::MAX);
        let deadline = PromDuration::from_millis(millis.saturating_add(1));
        let turn = Arc::new(turn);
        let control = Control {
            cancel: self.cancel,
            deadline: Some(self.clock.now().saturating_add(deadline)),
            budget,
            pace: Some(Arc::clone(&turn) as _),
            step_stats: self.step_stats,
            stopwatch: self.analyze.then(|| Stopwatch::new(move || begun.elapsed())),
            ..Control::unlimited(self.clock)
        };
        let answer = self.prepared.run(self.source, control)?;
        let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
        let timings = Timings {
            preparation: seconds(asked.preparation),
            queue: seconds(queue),
            evaluation: seconds(begun.elapsed()),
        };
        Ok(Evaluated { answer, timings, turn })
    }
}
