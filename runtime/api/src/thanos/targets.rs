//! `targets`.

use axum::extract::State;
use axum::response::Response;
use storeapi::thanos::targets_request::State as Wanted;
use storeapi::thanos::{ActiveTarget, DroppedTarget, TargetHealth, TargetsRequest};

use super::answer::{Refusal, success};
use super::object::{Object, push_list};
use super::tenancy::Call;
use super::{Asked, strategy, words};

pub(super) async fn targets(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let word = call.form.value("state");
    let wanted = match word.to_uppercase().as_str() {
        "" | "ANY" => Wanted::Any,
        "ACTIVE" => Wanted::Active,
        "DROPPED" => Wanted::Dropped,
        _ => return Err(Refusal::bad_data(format!("invalid targets parameter state='{word}'"))),
    };
    let request = TargetsRequest {
        state: wanted.into(),
        partial_response_strategy: strategy(api.settings.partial_response.target),
    };
    let (context, _guard) = api.context(call.tenant()?);
    let gathered = api.fleet.targets(request, context).await;
    let (found, warnings) = gathered.map_err(|status| {
        Refusal::internal(format!("retrieving targets: proxy Targets: {}", words(&status)))
    })?;
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    push_list(object.field("activeTargets"), &found.active_targets, push_active);
    push_list(object.field("droppedTargets"), &found.dropped_targets, push_dropped);
    object.end();
    Ok(success(&data, &warnings))
}

fn push_active(out: &mut Vec<u8>, target: &ActiveTarget) {
    let mut object = Object::new(out);
    object.labels("discoveredLabels", target.discovered_labels.as_ref());
    object.labels("labels", target.labels.as_ref());
    object.text("scrapePool", &target.scrape_pool);
    object.text("scrapeUrl", &target.scrape_url);
    object.text("globalUrl", &target.global_url);
    object.text("lastError", &target.last_error);
    object.time("lastScrape", target.last_scrape.as_ref());
    object.float("lastScrapeDuration", target.last_scrape_duration);
    object.text(
        "health",
        match TargetHealth::try_from(target.health) {
            Ok(TargetHealth::HealthUp) => "up",
            Ok(TargetHealth::HealthDown) => "down",
            _ => "unknown",
        },
    );
    object.end();
}

fn push_dropped(out: &mut Vec<u8>, target: &DroppedTarget) {
    let mut object = Object::new(out);
    object.labels("discoveredLabels", target.discovered_labels.as_ref());
    object.end();
}
