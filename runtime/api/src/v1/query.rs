//! `query`, `query_range`, `query_exemplars`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures::{StreamExt, stream};
use promql::{Level, QueryRange};

use super::{Api, json, success};
use crate::error::ApiError;
use crate::evaluate::{Question, Turn};
use crate::form::Form;
use crate::json::{AnswerText, Manner};
use crate::time::{MAX_TIME, MIN_TIME, Time, parse_duration};

/// The most steps of a range query, less one.
pub(crate) const STEPS_MAX: i64 = 11_000;

pub(super) async fn instant(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    let limit = form.limit()?;
    let now = Time::from_millis(api.evaluator.clock().now().as_millis());
    let time = form.time_or("time", now)?.millis();
    answer(&api, &form, limit, QueryRange::Instant { time }).await
}

pub(super) async fn range(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    let limit = form.limit()?;
    let (start, end) = (form.time("start")?, form.time("end")?);
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step = parse_duration(form.value("step")).map_err(|error| ApiError::parameter("step", error))?;
    if step <= 0 {
        let text = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", text));
    }
    if end.since(start) / step > STEPS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let (start, end, step) = (start.millis(), end.millis(), step / 1_000_000);
    answer(&api, &form, limit, QueryRange::Range { start, end, step }).await
}

async fn answer(api: &Api, form: &Form, limit: usize, range: QueryRange) -> Result<Response, ApiError> {
    let timeout = match form.value("timeout") {
        "" => None,
        text => {
            let nanos = parse_duration(text).map_err(|error| ApiError::parameter("timeout", error))?;
            Some(Duration::from_nanos(nanos.max(0).unsigned_abs()))
        }
    };
    let lookback_delta = match form.value("lookback_delta") {
        "" => None,
        text => {
            let nanos = parse_duration(text).map_err(|error| {
                ApiError::bad_data(format!("error parsing lookback delta duration: {error}"))
            })?;
            Some(nanos / 1_000_000)
        }
    };
    let query = form.value("query").to_owned();
    let stats = form.value("stats");
    let step_stats = api.step_stats && stats == "all";
    let question =
        Question { query: query.clone(), range, lookback_delta, timeout, step_stats, analyze: false };
    let (source, catalog) = (Arc::clone(&api.source), Arc::clone(&api.catalog));
    let evaluated = api.evaluator.evaluate(question, source, catalog).await;
    let evaluated = evaluated.map_err(|reason| ApiError::unanswered(&reason))?;
    let mut warnings = Vec::new();
    if !matches!(stats, "" | "true" | "all") {
        warnings.push(format!(
            "value {} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\"",
            prom_model::quote(stats)
        ));
    }
    let own_warnings = warnings.len();
    let annotations = &evaluated.answer.annotations;
    warnings.extend(annotations.texts(Level::Warning, &query, 10));
    let infos = annotations.texts(Level::Info, &query, 10);
    let stats = (!stats.is_empty()).then_some(evaluated.timings);
    let manner = Manner { limit, stats, analysis: None, warnings, own_warnings, infos };
    Ok(streamed(AnswerText::new(evaluated.answer, manner), &evaluated.turn))
}

/// An answer that is written while it is sent, unless it is short.
pub(crate) fn streamed(mut text: AnswerText, turn: &Turn) -> Response {
    let first = text.next().unwrap_or_default();
    match text.next() {
        None => json(Body::from(first)),
        Some(second) => {
            let turns = turn.turns();
            let pieces = stream::iter([first, second].into_iter().chain(text)).then(move |piece| {
                let turns = Arc::clone(&turns);
                async move {
                    // Others have their turn after each piece, however fast the client reads.
                    turns.give_way().await;
                    tokio::task::yield_now().await;
                    Ok::<_, Infallible>(piece)
                }
            });
            json(Body::from_stream(pieces))
        }
    }
}

/// There are no exemplars in blocks.
pub(super) async fn exemplars(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    let start = form.time_or("start", MIN_TIME)?;
    let end = form.time_or("end", MAX_TIME)?;
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    super::syntax::parse(form.value("query"), &api.evaluator.options().parse).map_err(ApiError::bad_data)?;
    Ok(success(b"[]", &[]))
}
