//! `query`, `query_range`, and what needs the text of a query only.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promql::QueryRange;

use super::access::Active;
use super::answer::{Refusal, marked, warnings};
use super::parameters as read;
use super::tenancy::Call;
use super::{Asked, EngineName, Reading, ThanosApi, explain};
use crate::evaluate::{Evaluated, Means, Question};
use crate::json::{AnswerText, Manner};
use crate::time::Time;
use crate::v1::streamed;

/// A query as a request asks it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) question: Question,
    pub(super) engine: EngineName,
    reading: Reading,
}

pub(super) async fn instant(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let wanted = instant_question(&api, &call)?;
    answer(&api, &call, wanted).await
}

pub(super) async fn range(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let wanted = range_question(&api, &call)?;
    if let QueryRange::Range { start, end, .. } = wanted.question.range {
        api.telemetry.observe_range(end.saturating_sub(start));
    }
    answer(&api, &call, wanted).await
}

/// An instant query out of its parameters.
pub(super) fn instant_question(api: &ThanosApi, call: &Call) -> Result<Wanted, Refusal> {
    let now = Time::from_millis(api.evaluator.clock().now().as_millis());
    let time = read::time_or(&call.form, "time", now)?.millis();
    question(api, call, QueryRange::Instant { time }, api.settings.instant_max_source_resolution)
}

/// A range query out of its parameters.
pub(super) fn range_question(api: &ThanosApi, call: &Call) -> Result<Wanted, Refusal> {
    let steps = read::steps(&call.form, &api.settings)?;
    let (start, end, step) = (steps.start.millis(), steps.end.millis(), steps.step / 1_000_000);
    question(api, call, QueryRange::Range { start, end, step }, ::query::resolution::automatic(step))
}

/// The parameters that both kinds share, in the order in which Thanos complains about them.
fn question(api: &ThanosApi, call: &Call, range: QueryRange, automatic: i64) -> Result<Wanted, Refusal> {
    let (form, settings) = (&call.form, &api.settings);
    let timeout = read::timeout(form)?;
    let dedup = read::dedup(form)?;
    let replica_labels = read::replica_labels(form, settings);
    let store_match = read::store_match(form)?;
    let instant = matches!(range, QueryRange::Instant { .. });
    let partial = || read::partial_response(form, settings.partial_response.query);
    let resolution = || read::max_resolution(form, settings, automatic);
    let (partial_response, max_resolution) = if instant {
        (partial()?, resolution()?)
    } else {
        let max_resolution = resolution()?;
        (partial()?, max_resolution)
    };
    let shard = read::shard(form)?;
    let engine = read::engine(form, settings)?;
    let lookback_delta = read::lookback_delta(form, settings, max_resolution)?;
    let tenant = call.tenant()?.to_owned();
    let parse = &api.evaluator.options().parse;
    let query = settings.tenancy.query(form.value("query"), &tenant, parse)?;
    let analyze = matches!(form.value("analyze"), "true" | "1") && engine == EngineName::Thanos;
    let reading = Reading {
        dedup,
        replica_labels,
        store_match,
        max_resolution,
        partial_response,
        shard,
        limit: 0,
        times: None,
        tenant,
        cancel: Default::default(),
        budget: api.budget(),
    };
    let question =
        Question { query, range, lookback_delta: Some(lookback_delta), timeout, step_stats: false, analyze };
    Ok(Wanted { question, engine, reading })
}

impl Wanted {
    /// Evaluates the query when its turn has come.
    pub(super) async fn evaluate(self, api: &ThanosApi) -> Result<Evaluated, Refusal> {
        let Wanted { question, reading, .. } = self;
        let tenant = reading.tenant.clone();
        let stores = Arc::clone(&api.stores);
        let (log, query) = (api.active.clone(), question.query.clone());
        let mut active = None;
        let open = |means: &Means| {
            active = Active::begin(log.as_ref(), &query);
            let (cancel, budget) = (means.ended.clone(), means.budget.clone());
            stores.open(Reading { cancel, budget, times: means.times, ..reading }).source
        };
        let evaluated = api.evaluator.evaluate_behind(&api.gate, question, open).await;
        drop(active);
        let evaluated = evaluated.map_err(|reason| Refusal::unanswered(&reason))?;
        api.telemetry.observe_query(&evaluated.answer.stats, evaluated.timings.evaluation, &tenant);
        Ok(evaluated)
    }

    /// A query that came over another way than HTTP.
    pub(super) fn new(question: Question, engine: EngineName, reading: Reading) -> Self {
        Wanted { question, engine, reading }
    }
}

async fn answer(api: &ThanosApi, call: &Call, wanted: Wanted) -> Result<Response, Refusal> {
    let engine = wanted.engine;
    let evaluated = wanted.evaluate(api).await?;
    let mut warnings = warnings(&evaluated.answer.annotations);
    let form = &call.form;
    let analysis = match &evaluated.answer.analysis {
        Some(nodes) => explain::analysis(nodes, &evaluated.answer.stats),
        None => b"{}".to_vec(),
    };
    if matches!(form.value("analyze"), "true" | "1") && engine == EngineName::Prometheus {
        warnings.push("Query not analyzable; change engine to 'thanos'.".to_owned());
    }
    let stats = (!form.value("stats").is_empty()).then_some(evaluated.timings);
    let manner = Manner { stats, analysis: Some(analysis), warnings: warnings.clone(), ..Manner::default() };
    Ok(marked(streamed(AnswerText::new(evaluated.answer, manner), &evaluated.turn), &warnings))
}

pub(super) async fn format_query(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    crate::v1::formatted(call.form.value("query"), &api.evaluator.options().parse).map_err(Refusal)
}

pub(super) async fn parse_query(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    crate::v1::parsed(call.form.value("query"), &api.evaluator.options().parse).map_err(Refusal)
}
