//! `series`: the label sets of series that match.

use ::query::Scope;
use axum::extract::State;
use axum::response::Response;

use super::answer::{Refusal, success};
use super::labels::{blocking, one_more};
use super::parameters as read;
use super::tenancy::Call;
use super::{Asked, Reading};

pub(super) async fn series(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let (form, settings) = (&call.form, &api.settings);
    if form.all("match[]").next().is_none() {
        return Err(Refusal::bad_data("no match[] parameter provided"));
    }
    let now = api.evaluator.clock().now().as_millis();
    let (min_time, max_time) = read::metadata_range(form, settings, now)?;
    let tenant = call.tenant()?.to_owned();
    let matchers = settings.tenancy.matchers(form, &tenant)?;
    let dedup = read::dedup(form)?;
    let replica_labels = read::replica_labels(form, settings);
    let store_match = read::store_match(form)?;
    let limit = read::limit(form)?;
    let partial_response = read::partial_response(form, settings.partial_response.query)?;
    let reading = Reading {
        dedup,
        replica_labels,
        store_match,
        // Every block may answer, however coarse its samples are.
        max_resolution: i64::MAX,
        partial_response,
        shard: None,
        limit: one_more(limit),
        times: None,
        tenant,
        cancel: Default::default(),
        budget: api.budget(),
    };
    let scope = Scope { matchers, min_time, max_time };
    let (data, warnings) =
        blocking(&api, reading, move |opened| crate::v1::list_series(opened.source.as_ref(), &scope, limit))
            .await?;
    Ok(success(&data, &warnings))
}
