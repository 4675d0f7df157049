//! Runs queries on threads of their own: so many at once, within a memory budget, until the client goes away.
//!
//! Large queries, told by their text and the number of series, have few places and a memory of their own; small ones have many
//! places. What turns out to be long waits, between two pieces of its work, for what is short. So small queries are answered
//! however many large ones there are.

mod cost;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use ::query::Catalog;
use prom_model::{Clock, PromDuration};
use promql::{
    Answer, Budget, Cancel, Control, Engine, EngineOptions, Prepared, QueryError, QueryRange, SeriesSource,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::turns::{Class, Turns};
use crate::error::{ApiError, ErrorType};
use crate::json::Timings;

/// Queries that go through no more samples and steps are short.
const SHORT: u64 = 1_000_000;
/// Those that go through more are large.
const LARGE: u64 = 50_000_000;
/// So many large queries are evaluated at once, and so many of those between.
const LARGE_PLACES: usize = 2;

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
    places: Arc<Semaphore>,
    medium_places: Arc<Semaphore>,
    large_places: Arc<Semaphore>,
    turns: Arc<Turns>,
    budget: Budget,
    large_budget: Budget,
}

/// A query as it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) query: String,
    pub(crate) range: QueryRange,
    /// Milliseconds; `None` for the server's own.
    pub(crate) lookback_delta: Option<i64>,
    pub(crate) timeout: Option<Duration>,
    /// Whether samples are counted for each step too.
    pub(crate) step_stats: bool,
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
        let budget = Budget::new("memory for queries", limits.memory_max);
        Evaluator {
            places: Arc::new(Semaphore::new(limits.concurrency_max.max(1))),
            medium_places: Arc::new(Semaphore::new(LARGE_PLACES.min(limits.concurrency_max.max(1)))),
            large_places: Arc::new(Semaphore::new(LARGE_PLACES.min(limits.concurrency_max.max(1)))),
            turns: Turns::new(options.workers),
            // A quarter is always left for the others.
            large_budget: budget.child("memory for large queries", limits.memory_max / 4 * 3),
            budget,
            options,
            limits,
            clock,
        }
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
        catalog: Arc<dyn Catalog>,
    ) -> Result<Evaluated, ApiError> {
        let asked = Instant::now();
        let timeout = question.timeout.map_or(self.limits.timeout, |own| own.min(self.limits.timeout));
        let prepared = self.prepare(&question)?;
        let class = self.class(&question, catalog).await;
        let preparation = asked.elapsed();
        let (places, all) = match class {
            Class::Short => (&self.places, &self.budget),
            Class::Medium => (&self.medium_places, &self.large_budget),
            Class::Long => (&self.large_places, &self.large_budget),
        };
        let left = timeout.saturating_sub(preparation);
        let place = match tokio::time::timeout(left, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => {
                return Err(ApiError::new(ErrorType::Canceled, "query was canceled in query queue"));
            }
            Err(_) => return Err(ApiError::new(ErrorType::Timeout, "query timed out in query queue")),
        };
        let begun = Instant::now();
        let queue = (begun - asked).saturating_sub(preparation);
        let left = timeout.saturating_sub(begun - asked).as_millis().saturating_add(1);
        let left = PromDuration::from_millis(i64::try_from(left).unwrap_or(i64::MAX));
        let cancel = Cancel::default();
        let budget = all.child("memory for one query", all.limit() / 4 * 3);
        let turn = Arc::new(self.turns.begin(class, Some(place), cancel.clone()));
        let control = Control {
            cancel: cancel.clone(),
            deadline: Some(self.clock.now().saturating_add(left)),
            budget: budget.clone(),
            pace: Some(Arc::clone(&turn) as _),
            step_stats: question.step_stats,
            ..Control::unlimited(Arc::clone(&self.clock))
        };
        let _gone = CancelOnDrop(cancel);
        let evaluation = tokio::task::spawn_blocking(move || {
            let answer = prepared.run(source, control);
            drop(turn);
            answer
        });
        let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
        match evaluation.await {
            Ok(Ok(answer)) => {
                let (preparation, queue) = (seconds(preparation), seconds(queue));
                let timings = Timings { preparation, queue, evaluation: seconds(begun.elapsed()) };
                Ok(Evaluated { answer, timings, budget })
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

    /// How long a query is thought to run.
    async fn class(&self, question: &Question, catalog: Arc<dyn Catalog>) -> Class {
        let (Some(expr), _) = promql_syntax::parse_with(&question.query, &self.options.parse) else {
            return Class::Short;
        };
        let range = question.range;
        let cost = tokio::task::spawn_blocking(move || cost::cost(&expr, range, catalog.as_ref()));
        match cost.await {
            Ok(0..=SHORT) => Class::Short,
            Ok(cost) if cost > LARGE => Class::Long,
            _ => Class::Medium,
        }
    }
}
