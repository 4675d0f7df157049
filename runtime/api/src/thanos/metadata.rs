//! `metadata`: what metrics mean.

use axum::extract::State;
use axum::response::Response;
use storeapi::thanos::{Meta, MetricMetadataRequest};

use super::answer::{Refusal, success};
use super::object::{Object, push_list};
use super::tenancy::Call;
use super::{Asked, strategy, words};

pub(super) async fn metadata(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let limit = match call.form.value("limit") {
        "" => -1,
        // Thanos shows what it has read, which is nothing.
        text => text.parse().map_err(|_| Refusal::bad_data("invalid metric metadata limit='0'"))?,
    };
    let request = MetricMetadataRequest {
        metric: call.form.value("metric").to_owned(),
        limit,
        partial_response_strategy: strategy(api.settings.partial_response.metadata),
    };
    let (context, _guard) = api.context(call.tenant()?);
    let gathered = api.fleet.metadata(request, context).await;
    let (found, warnings) = gathered.map_err(|status| {
        Refusal::internal(format!("retrieving metadata: proxy MetricMetadata: {}", words(&status)))
    })?;
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    for (metric, entry) in &found.metadata {
        push_list(object.field(metric), &entry.metas, push_meta);
    }
    object.end();
    Ok(success(&data, &warnings))
}

fn push_meta(out: &mut Vec<u8>, meta: &Meta) {
    let mut object = Object::new(out);
    object.text("type", &meta.r#type);
    object.text("help", &meta.help);
    object.text("unit", &meta.unit);
    object.end();
}
