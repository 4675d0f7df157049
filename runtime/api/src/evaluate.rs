//! Runs queries on threads of their own: so many at once, within a memory budget, until the client goes away.
//!
//! Large queries, told by their text and the number of series, have few places and a memory of their own; small ones have many
//! places. What turns out to be long waits, between two pieces of its work, for what is short. So small queries are answered
//! however many large ones there are.

mod cost;
mod query;
mod threads;
mod times;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use ::query::Catalog;
use prom_model::Clock;
use promql::{Budget, Cancel, Engine, EngineOptions, Prepared, QueryError, QueryRange, SeriesSource};
use promql_syntax::ParseOptions;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::query::Evaluated;
use self::query::{Asked, CancelOnDrop, Query};
use self::threads::Threads;
pub(crate) use self::turns::Turn;
use self::turns::{Class, Turns};
use crate::gate::Gate;

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
    threads: Arc<Threads>,
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
    /// Whether the work of each part of the query is measured.
    pub(crate) analyze: bool,
}

/// Why a query has no answer, and when that came out.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The query itself cannot be evaluated.
    Unprepared(QueryError),
    /// Its turn did not come in time.
    Queue,
    /// The server ends.
    Ended,
    /// Evaluation failed.
    Failed(QueryError),
    /// Evaluation came to an end of its own making.
    Crashed,
}

/// What a query is given when its turn has come: its memory, and what ends it.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    pub(crate) budget: Budget,
    /// Ends with the query, whatever the reason.
    pub(crate) ended: CancellationToken,
    /// The first and the last time that its selectors read, where they are known.
    pub(crate) times: Option<(i64, i64)>,
}

/// What comes of a query that is looked at for the first time.
enum First {
    /// It was short, and was evaluated at once.
    Done(Box<Result<Evaluated, QueryError>>),
    /// It waits for a place.
    Later(Class, Box<Query>, Turn),
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
            threads: Arc::default(),
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

    /// The memory of a request that is no query.
    pub(crate) fn budget_for_one(&self) -> Budget {
        self.budget.child("memory for one request", self.budget.limit() / 4)
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Evaluates a query over storage that tells how much of it there is.
    pub(crate) async fn evaluate(
        &self,
        question: Question,
        source: Arc<dyn SeriesSource>,
        catalog: Arc<dyn Catalog>,
    ) -> Result<Evaluated, Unanswered> {
        let at = Instant::now();
        let cancel = Cancel::default();
        // Long ones make room already while this one is looked at.
        let turn = self.turns.begin(cancel.clone());
        let prepared = self.prepare(&question)?;
        let asked = Asked { at, preparation: at.elapsed(), timeout: self.timeout(&question) };
        let ended = CancellationToken::new();
        let mut gone = self.gone(cancel.clone(), ended.clone());
        let query = self.query(prepared, &question, asked, cancel, source);
        let (places, budget) = (Arc::clone(&self.places), Self::budget_in(&self.budget));
        let parse = self.options.parse;
        // A short one is not handed on to another thread: that would take longer than the query.
        let first = self.on_thread(asked.left(), &ended, move || {
            let class = class(&question, &parse, catalog.as_ref());
            let (mut query, mut turn) = (query, turn);
            query.asked.preparation = at.elapsed();
            let place = if class == Class::Short { places.try_acquire_owned().ok() } else { None };
            if place.is_none() {
                return First::Later(class, Box::new(query), turn);
            }
            turn.start(class, place);
            First::Done(Box::new(query.evaluate(budget, turn)))
        });
        let evaluated = match first.await? {
            (First::Done(evaluated), late) => (*evaluated, late),
            (First::Later(class, query, mut turn), _) => {
                let (places, all) = match class {
                    Class::Short => (&self.places, &self.budget),
                    Class::Medium => (&self.medium_places, &self.large_budget),
                    Class::Long => (&self.large_places, &self.large_budget),
                };
                if class != Class::Short {
                    turn.leave();
                }
                let place = tokio::time::timeout(asked.left(), Arc::clone(places).acquire_owned());
                let place = match place.await {
                    Ok(Ok(place)) => place,
                    Ok(Err(_)) => return Err(Unanswered::Ended),
                    Err(_) => return Err(Unanswered::Queue),
                };
                turn.start(class, Some(place));
                let budget = Self::budget_in(all);
                self.on_thread(asked.left(), &ended, move || query.evaluate(budget, turn)).await?
            }
        };
        gone.done = true;
        answered(evaluated)
    }

    /// Evaluates a query behind a gate, over storage that is opened when its turn has come.
    pub(crate) async fn evaluate_behind(
        &self,
        gate: &Gate,
        question: Question,
        open: impl FnOnce(&Means) -> Arc<dyn SeriesSource>,
    ) -> Result<Evaluated, Unanswered> {
        let at = Instant::now();
        let cancel = Cancel::default();
        let mut turn = self.turns.begin(cancel.clone());
        let prepared = self.prepare(&question)?;
        let asked = Asked { at, preparation: at.elapsed(), timeout: self.timeout(&question) };
        let _inside = match tokio::time::timeout(asked.left(), gate.enter()).await {
            Ok(Some(inside)) => inside,
            Ok(None) => return Err(Unanswered::Ended),
            Err(_) => return Err(Unanswered::Queue),
        };
        let budget = Self::budget_in(&self.budget);
        let means = Means { budget, ended: CancellationToken::new(), times: self.times(&question) };
        let source = open(&means);
        turn.start(Class::Short, None);
        let Means { budget, ended, .. } = means;
        let mut gone = self.gone(cancel.clone(), ended.clone());
        let query = self.query(prepared, &question, asked, cancel, source);
        let evaluated = self.on_thread(asked.left(), &ended, move || query.evaluate(budget, turn)).await?;
        gone.done = true;
        answered(evaluated)
    }

    fn times(&self, question: &Question) -> Option<(i64, i64)> {
        let (expr, _) = promql_syntax::parse_with(&question.query, &self.options.parse);
        let lookback_delta = question.lookback_delta.unwrap_or(self.options.lookback_delta);
        times::times(&expr?, question.range, lookback_delta)
    }

    fn timeout(&self, question: &Question) -> Duration {
        question.timeout.map_or(self.limits.timeout, |own| own.min(self.limits.timeout))
    }

    fn query(
        &self,
        prepared: Prepared,
        question: &Question,
        asked: Asked,
        cancel: Cancel,
        source: Arc<dyn SeriesSource>,
    ) -> Query {
        let (step_stats, analyze) = (question.step_stats, question.analyze);
        Query { prepared, source, asked, cancel, clock: Arc::clone(&self.clock), step_stats, analyze }
    }

    fn gone(&self, cancel: Cancel, ended: CancellationToken) -> CancelOnDrop {
        CancelOnDrop { cancel, ended, turns: Arc::clone(&self.turns), done: false }
    }

    /// A query may take up most of the memory that it shares with others.
    fn budget_in(all: &Budget) -> Budget {
        all.child("memory for one query", all.limit() / 4 * 3)
    }

    /// Runs this on a thread for queries; whether its time was up before it ended, which ends what it waits for.
    async fn on_thread<T: Send + 'static>(
        &self,
        left: Duration,
        ended: &CancellationToken,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, bool), Unanswered> {
        let (sender, outcome) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let thread = self.threads.run(move || {
            let _entered = runtime.enter();
            // Nobody takes the answer of a query whose client is gone.
            let _ = sender.send(job());
        });
        if let Err(error) = thread {
            tracing::error!(msg = "a query has no thread", error = %error);
            return Err(Unanswered::Crashed);
        }
        let mut outcome = std::pin::pin!(outcome);
        // Storage that waits for others looks at no clock: its calls are ended from here.
        let (outcome, late) = match tokio::time::timeout(left, &mut outcome).await {
            Ok(outcome) => (outcome, false),
            Err(_) => {
                ended.cancel();
                (outcome.await, true)
            }
        };
        outcome.map(|outcome| (outcome, late)).map_err(|_| Unanswered::Crashed)
    }

    /// Makes the plan of a query.
    pub(crate) fn prepare(&self, question: &Question) -> Result<Prepared, Unanswered> {
        let mut options = self.options.clone();
        if let Some(lookback_delta) = question.lookback_delta.filter(|delta| *delta > 0) {
            options.lookback_delta = lookback_delta;
        }
        let prepared = Engine::new(options).prepare(&question.query, question.range);
        prepared.map_err(Unanswered::Unprepared)
    }
}

/// How long a query is thought to run.
fn class(question: &Question, parse: &ParseOptions, catalog: &dyn Catalog) -> Class {
    let (Some(expr), _) = promql_syntax::parse_with(&question.query, parse) else {
        return Class::Short;
    };
    match cost::cost(&expr, question.range, catalog) {
        0..=SHORT => Class::Short,
        cost if cost > LARGE => Class::Long,
        _ => Class::Medium,
    }
}

fn answered((outcome, late): (Result<Evaluated, QueryError>, bool)) -> Result<Evaluated, Unanswered> {
    outcome.map_err(|error| Unanswered::Failed(if late { QueryError::TimedOut } else { error }))
}
