//! Runs queries on threads of their own: so many at once, within a memory budget, until the client goes away.
//!
//! Large queries, told by their text and the number of series, have few places and a memory of their own; small ones have many
//! places. What turns out to be long waits, between two pieces of its work, for what is short. So small queries are answered
//! however many large ones there are.

mod cost;
mod threads;
mod times;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use ::query::Catalog;
use prom_model::{Clock, PromDuration};
use promql::{
    Answer, Budget, Cancel, Control, Engine, EngineOptions, Prepared, QueryError, QueryRange, SeriesSource,
    Stopwatch,
};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::threads::Threads;
pub(crate) use self::turns::Turn;
use self::turns::{Class, Turns};
use crate::gate::Gate;
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

/// An answer, and what it took.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) answer: Answer,
    pub(crate) timings: Timings,
    /// Until the answer is written, too, long queries wait for a short one.
    pub(crate) turn: Arc<Turn>,
}

/// Ends a query when the one who waits for it is gone.
struct CancelOnDrop {
    cancel: Cancel,
    ended: CancellationToken,
    turns: Arc<Turns>,
    /// It has ended already.
    done: bool,
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

/// When a query was asked, and how long that took to understand.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    preparation: Duration,
    timeout: Duration,
}

impl Asked {
    fn left(self) -> Duration {
        self.timeout.saturating_sub(self.at.elapsed())
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
        let mut turn = self.turns.begin(cancel.clone());
        let timeout = self.timeout(&question);
        let prepared = self.prepare(&question)?;
        let class = self.class(&question, catalog).await;
        let asked = Asked { at, preparation: at.elapsed(), timeout };
        let (places, all) = match class {
            Class::Short => (&self.places, &self.budget),
            Class::Medium => (&self.medium_places, &self.large_budget),
            Class::Long => (&self.large_places, &self.large_budget),
        };
        if class != Class::Short {
            turn.leave();
        }
        let place = match tokio::time::timeout(asked.left(), Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(Unanswered::Ended),
            Err(_) => return Err(Unanswered::Queue),
        };
        let ended = CancellationToken::new();
        let means =
            Means { budget: all.child("memory for one query", all.limit() / 4 * 3), ended, times: None };
        turn.start(class, Some(place));
        self.run(prepared, &question, asked, means, turn, cancel, source).await
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
        let timeout = self.timeout(&question);
        let prepared = self.prepare(&question)?;
        let asked = Asked { at, preparation: at.elapsed(), timeout };
        let _inside = match tokio::time::timeout(asked.left(), gate.enter()).await {
            Ok(Some(inside)) => inside,
            Ok(None) => return Err(Unanswered::Ended),
            Err(_) => return Err(Unanswered::Queue),
        };
        let budget = self.budget.child("memory for one query", self.budget.limit() / 4 * 3);
        let means = Means { budget, ended: CancellationToken::new(), times: self.times(&question) };
        let source = open(&means);
        turn.start(Class::Short, None);
        self.run(prepared, &question, asked, means, turn, cancel, source).await
    }

    fn times(&self, question: &Question) -> Option<(i64, i64)> {
        let (expr, _) = promql_syntax::parse_with(&question.query, &self.options.parse);
        let lookback_delta = question.lookback_delta.unwrap_or(self.options.lookback_delta);
        times::times(&expr?, question.range, lookback_delta)
    }

    fn timeout(&self, question: &Question) -> Duration {
        question.timeout.map_or(self.limits.timeout, |own| own.min(self.limits.timeout))
    }

    #[expect(clippy::too_many_arguments, reason = "what one run is made of")]
    async fn run(
        &self,
        prepared: Prepared,
        question: &Question,
        asked: Asked,
        means: Means,
        turn: Turn,
        cancel: Cancel,
        source: Arc<dyn SeriesSource>,
    ) -> Result<Evaluated, Unanswered> {
        let begun = Instant::now();
        let queue = (begun - asked.at).saturating_sub(asked.preparation);
        let left = asked.left();
        let millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let deadline = PromDuration::from_millis(millis.saturating_add(1));
        let turn = Arc::new(turn);
        let Means { budget, ended, .. } = means;
        let control = Control {
            cancel: cancel.clone(),
            deadline: Some(self.clock.now().saturating_add(deadline)),
            budget,
            pace: Some(Arc::clone(&turn) as _),
            step_stats: question.step_stats,
            stopwatch: question.analyze.then(|| Stopwatch::new(move || begun.elapsed())),
            ..Control::unlimited(Arc::clone(&self.clock))
        };
        let turns = Arc::clone(&self.turns);
        let mut gone = CancelOnDrop { cancel, ended: ended.clone(), turns, done: false };
        let (sender, evaluation) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let thread = self.threads.run(move || {
            let _entered = runtime.enter();
            let answer = prepared.run(source, control);
            // Nobody takes the answer of a query whose client is gone.
            let _ = sender.send(answer);
        });
        if let Err(error) = thread {
            tracing::error!(msg = "a query has no thread", error = %error);
            return Err(Unanswered::Crashed);
        }
        let mut evaluation = std::pin::pin!(evaluation);
        // Storage that waits for others looks at no clock: its calls are ended from here.
        let (outcome, late) = match tokio::time::timeout(left, &mut evaluation).await {
            Ok(outcome) => (outcome, false),
            Err(_) => {
                ended.cancel();
                (evaluation.await, true)
            }
        };
        gone.done = true;
        let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
        match outcome {
            Ok(Ok(answer)) => {
                let timings = Timings {
                    preparation: seconds(asked.preparation),
                    queue: seconds(queue),
                    evaluation: seconds(begun.elapsed()),
                };
                Ok(Evaluated { answer, timings, turn })
            }
            Ok(Err(_)) if late => Err(Unanswered::Failed(QueryError::TimedOut)),
            Ok(Err(error)) => Err(Unanswered::Failed(error)),
            Err(_) => Err(Unanswered::Crashed),
        }
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
