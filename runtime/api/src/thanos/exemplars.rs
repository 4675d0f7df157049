//! `query_exemplars`.

use axum::extract::State;
use axum::response::Response;
use storeapi::thanos::{Exemplar, ExemplarData, ExemplarsRequest};

use super::answer::{Refusal, success};
use super::object::{Object, push_list};
use super::parameters as read;
use super::tenancy::Call;
use super::{Asked, strategy, words};
use crate::json::{push_float, push_time};
use crate::time::{MAX_TIME, MIN_TIME};

pub(super) async fn exemplars(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let start = read::time_or(&call.form, "start", MIN_TIME)?;
    let end = read::time_or(&call.form, "end", MAX_TIME)?;
    let request = ExemplarsRequest {
        query: call.form.value("query").to_owned(),
        start: start.millis(),
        end: end.millis(),
        partial_response_strategy: strategy(api.settings.partial_response.exemplar),
    };
    let (context, _guard) = api.context(call.tenant()?);
    let gathered = api.fleet.exemplars(request, context).await;
    let (found, warnings) = gathered.map_err(|status| {
        Refusal::internal(format!("retrieving exemplars: proxy Exemplars: {}", words(&status)))
    })?;
    let mut data = Vec::new();
    push_list(&mut data, &found, push_series);
    Ok(success(&data, &warnings))
}

fn push_series(out: &mut Vec<u8>, series: &ExemplarData) {
    let mut object = Object::new(out);
    object.labels("seriesLabels", series.series_labels.as_ref());
    push_list(object.field("exemplars"), &series.exemplars, push_exemplar);
    object.end();
}

fn push_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let mut object = Object::new(out);
    object.labels("labels", exemplar.labels.as_ref());
    push_time(object.field("timestamp"), exemplar.ts);
    push_float(object.field("value"), exemplar.value);
    object.end();
}
