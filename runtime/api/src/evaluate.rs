//! Runs queries on threads of their own: so many at once, within a memory budget, until the client goes away.

use std::sync::Arc;
use std::time::Duration;

use prom_model::{Clock, PromDuration};
use promql::{
    Answer, Budget, Cancel, Control, Engine, EngineOptions, Prepared, QueryError, QueryRange, SeriesSource,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::error::{ApiError, ErrorType};
use crate::json::Timings;

/// What queries may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a query may take, waiting included (`--query.timeout`).
    pub timeout: Duration,
    /// How many queries are evaluated at once (`--query.max-concurrency`).
    pub concurrency_max: usize,
    /// The bytes that all queries together may hold.
    pub memory_max: u64,
}

/// Evaluates the queries of a server.
#[derive(Debug)]
pub struct Evaluator {
    options: EngineOptions,
    limits: Limits,
    clock: Arc<dyn Clock>,
    slots: Arc<Semaphore>,
    budget: Budget,
}

/// A query as it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) query: String,
    pub(crate) range: QueryRange,
    /// Milliseconds; `None` for the server's own.
    pub(crate) lookback_delta: Option<i64>,
    pub(crate) timeout: Option<Duration>,
    /// Whether samples are counted per step.
    pub(crate) per_step_stats: bool,
}

/// An answer, and what it took.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) answer: Answer,
    pub(crate) timings: Timings,
    pub(crate) budget: Budget,
}

/// Ends a query when the one who waits for it is gone.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Evaluator {
    /// An evaluator with these options and limits.
    pub fn new(options: EngineOptions, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let slots = Arc::new(Semaphore::new(limits.concurrency_max.max(1)));
        let budget = Budget::new("memory for queries", limits.memory_max);
        Evaluator { options, limits, clock, slots, budget }
    }

    /// How queries are evaluated.
    pub(crate) fn options(&self) -> &EngineOptions {
        &self.options
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Evaluates a query.
    pub(crate) async fn evaluate(
        &self,
        question: Question,
        source: Arc<dyn SeriesSource>,
    ) -> Result<Evaluated, ApiError> {
        let asked = Instant::now();
        let timeout = question.timeout.map_or(self.limits.timeout, |own| own.min(self.limits.timeout));
        let prepared = self.prepare(&question)?;
        let preparation = asked.elapsed().as_secs_f64();
        let slot = match tokio::time::timeout(timeout, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => {
                return Err(ApiError::new(ErrorType::Canceled, "query was canceled in query queue"));
            }
            Err(_) => return Err(ApiError::new(ErrorType::Timeout, "query timed out in query queue")),
        };
        let begun = Instant::now();
        let queue = (begun - asked).as_secs_f64() - preparation;
        let left = timeout.saturating_sub(begun - asked).as_millis();
        let left = PromDuration::from_millis(i64::try_from(left).unwrap_or(i64::MAX));
        let cancel = Cancel::default();
        let budget = self.budget.child("memory for one query", self.limits.memory_max);
        let control = Control {
            cancel: cancel.clone(),
            deadline: Some(self.clock.now().saturating_add(left)),
            budget: budget.clone(),
            ..Control::unlimited(Arc::clone(&self.clock))
        };
        let _gone = CancelOnDrop(cancel);
        let evaluation = tokio::task::spawn_blocking(move || {
            let answer = prepared.run(source, control);
            drop(slot);
            answer
        });
        match evaluation.await {
            Ok(Ok(answer)) => {
                let evaluation = begun.elapsed().as_secs_f64();
                Ok(Evaluated { answer, timings: Timings { preparation, queue, evaluation }, budget })
            }
            Ok(Err(error)) => Err(ApiError::evaluation(&error)),
            Err(_) => Err(ApiError::new(ErrorType::Internal, "the evaluation of the query has crashed")),
        }
    }

    fn prepare(&self, question: &Question) -> Result<Prepared, ApiError> {
        let mut options = self.options.clone();
        if let Some(lookback_delta) = question.lookback_delta.filter(|delta| *delta > 0) {
            options.lookback_delta = lookback_delta;
        }
        let prepared = Engine::new(options).prepare(&question.query, question.range);
        prepared.map_err(|error: QueryError| ApiError::unprepared(&error))
    }
}
