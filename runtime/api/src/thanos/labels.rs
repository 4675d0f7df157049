//! `labels` and `label/NAME/values`.

use std::sync::Arc;

use ::query::{Found, Scope};
use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::{Refusal, success};
use super::parameters as read;
use super::tenancy::Call;
use super::{Asked, Opened, Reading, ThanosApi};
use crate::error::chain;
use crate::json::push_texts;

/// What may be cut off because of a limit is told.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

pub(super) async fn names(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let (scope, reading, limit) = wanted(&api, &call)?;
    let found = blocking(&api, reading, move |opened| opened.catalog.label_names(&scope)).await?;
    Ok(texts(found, limit))
}

pub(super) async fn values(
    State(api): Asked,
    Path(name): Path<String>,
    call: Call,
) -> Result<Response, Refusal> {
    if name.is_empty() {
        return Err(Refusal::bad_data("invalid label name: \"\""));
    }
    let (scope, reading, limit) = wanted(&api, &call)?;
    let found = blocking(&api, reading, move |opened| opened.catalog.label_values(&name, &scope)).await?;
    Ok(texts(found, limit))
}

fn wanted(api: &ThanosApi, call: &Call) -> Result<(Scope, Reading, usize), Refusal> {
    let (form, settings) = (&call.form, &api.settings);
    let now = api.evaluator.clock().now().as_millis();
    let (min_time, max_time) = read::metadata_range(form, settings, now)?;
    let partial_response = read::partial_response(form, settings.partial_response.query)?;
    let store_match = read::store_match(form)?;
    let limit = read::limit(form)?;
    let tenant = call.tenant()?.to_owned();
    let matchers = settings.tenancy.matchers(form, &tenant)?;
    let reading = Reading {
        dedup: true,
        replica_labels: Vec::new(),
        store_match,
        max_resolution: 0,
        partial_response,
        shard: None,
        limit: one_more(limit),
        times: None,
        tenant,
        cancel: Default::default(),
        budget: api.budget(),
    };
    Ok((Scope { matchers, min_time, max_time }, reading, limit))
}

/// One more than the limit tells whether there are more.
pub(super) fn one_more(limit: usize) -> usize {
    if limit == 0 { 0 } else { limit.saturating_add(1) }
}

/// Asks storage on a thread that may wait for others; whoever stops waiting for the answer ends the calls.
pub(super) async fn blocking<T: Send + 'static>(
    api: &ThanosApi,
    reading: Reading,
    ask: impl FnOnce(&Opened) -> Result<T, promql::SourceError> + Send + 'static,
) -> Result<T, Refusal> {
    let _ended = reading.cancel.clone().drop_guard();
    let stores = Arc::clone(&api.stores);
    match tokio::task::spawn_blocking(move || ask(&stores.open(reading))).await {
        Ok(found) => found.map_err(|error| Refusal::execution(chain(&error))),
        Err(_) => Err(Refusal::internal("looking into storage has crashed")),
    }
}

fn texts(mut found: Found, limit: usize) -> Response {
    if limit > 0 && found.texts.len() > limit {
        found.texts.truncate(limit);
        found.warnings.push(TRUNCATED.to_owned());
    }
    let mut data = Vec::new();
    push_texts(&mut data, found.texts.iter().map(String::as_str));
    success(&data, &found.warnings)
}
