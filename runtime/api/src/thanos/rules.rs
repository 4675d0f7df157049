//! `rules` and `alerts`.

use axum::extract::State;
use axum::response::Response;
use storeapi::thanos::rule::Result as Kind;
use storeapi::thanos::rules_request::Type;
use storeapi::thanos::{Alert, AlertInstance, AlertState, RecordingRule, Rule, RuleGroup, RulesRequest};

use super::answer::{Refusal, success};
use super::object::{Object, push_list};
use super::tenancy::Call;
use super::{Asked, ThanosApi, strategy};

pub(super) async fn rules(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let form = &call.form;
    let all = |name: &str| form.all(name).map(str::to_owned).collect();
    let request = RulesRequest {
        r#type: kind(form.value("type"))?.into(),
        partial_response_strategy: strategy(api.settings.partial_response.rule),
        matcher_string: all("match[]"),
        rule_name: all("rule_name[]"),
        rule_group: all("rule_group[]"),
        file: all("file[]"),
    };
    let (groups, warnings) = gather(&api, &call, request).await?;
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    push_list(object.field("groups"), &groups, push_group);
    object.end();
    Ok(success(&data, &warnings))
}

pub(super) async fn alerts(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    let request = RulesRequest {
        r#type: Type::Alert.into(),
        partial_response_strategy: strategy(api.settings.partial_response.rule),
        ..RulesRequest::default()
    };
    let (groups, warnings) = gather(&api, &call, request).await?;
    let alerts: Vec<&AlertInstance> = groups
        .iter()
        .flat_map(|group| &group.rules)
        .filter_map(|rule| match &rule.result {
            Some(Kind::Alert(alert)) => Some(&alert.alerts),
            _ => None,
        })
        .flatten()
        .collect();
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    if alerts.is_empty() {
        object.field("alerts").extend_from_slice(b"null");
    } else {
        push_list(object.field("alerts"), alerts, push_instance);
    }
    object.end();
    Ok(success(&data, &warnings))
}

async fn gather(
    api: &ThanosApi,
    call: &Call,
    request: RulesRequest,
) -> Result<(Vec<RuleGroup>, Vec<String>), Refusal> {
    let (context, _guard) = api.context(call.tenant()?);
    let gathered = api.fleet.rules(request, context).await;
    gathered.map_err(|status| {
        // What the filters of the request say comes from here, all else from the components.
        let from = if status.code() == tonic::Code::Unknown { "" } else { "proxy Rules: " };
        Refusal::internal(format!("error retrieving rules: {from}{}", super::words(&status)))
    })
}

fn kind(word: &str) -> Result<Type, Refusal> {
    match word.to_uppercase().as_str() {
        "" | "ALL" => Ok(Type::All),
        "ALERT" => Ok(Type::Alert),
        "RECORD" => Ok(Type::Record),
        _ => Err(Refusal::bad_data(format!("invalid rules parameter type='{word}'"))),
    }
}

fn push_group(out: &mut Vec<u8>, group: &RuleGroup) {
    let mut object = Object::new(out);
    object.text("name", &group.name);
    object.text("file", &group.file);
    push_list(object.field("rules"), &group.rules, push_rule);
    object.float("interval", group.interval);
    object.float("evaluationTime", group.evaluation_duration_seconds);
    object.time("lastEvaluation", group.last_evaluation.as_ref());
    object.whole("limit", group.limit);
    object.text("partialResponseStrategy", strategy_word(group.partial_response_strategy));
    object.end();
}

fn push_rule(out: &mut Vec<u8>, rule: &Rule) {
    match &rule.result {
        Some(Kind::Recording(rule)) => push_recording(out, rule),
        Some(Kind::Alert(alert)) => push_alert(out, alert),
        None => out.extend_from_slice(b"null"),
    }
}

fn push_recording(out: &mut Vec<u8>, rule: &RecordingRule) {
    let mut object = Object::new(out);
    object.text("name", &rule.name);
    object.text("query", &rule.query);
    object.labels("labels", rule.labels.as_ref());
    object.text("health", &rule.health);
    object.text_unless_empty("lastError", &rule.last_error);
    object.float("evaluationTime", rule.evaluation_duration_seconds);
    object.time("lastEvaluation", rule.last_evaluation.as_ref());
    object.text("type", "recording");
    object.end();
}

fn push_alert(out: &mut Vec<u8>, alert: &Alert) {
    let mut object = Object::new(out);
    object.text("state", state_word(alert.state));
    object.text("name", &alert.name);
    object.text("query", &alert.query);
    object.float("duration", alert.duration_seconds);
    object.labels("labels", alert.labels.as_ref());
    object.labels("annotations", alert.annotations.as_ref());
    push_list(object.field("alerts"), &alert.alerts, push_instance);
    object.text("health", &alert.health);
    object.text_unless_empty("lastError", &alert.last_error);
    object.float("evaluationTime", alert.evaluation_duration_seconds);
    object.time("lastEvaluation", alert.last_evaluation.as_ref());
    object.float("keepFiringFor", alert.keep_firing_for_seconds);
    object.text("type", "alerting");
    object.end();
}

fn push_instance(out: &mut Vec<u8>, alert: &AlertInstance) {
    let mut object = Object::new(out);
    object.labels("labels", alert.labels.as_ref());
    object.labels("annotations", alert.annotations.as_ref());
    object.text("state", state_word(alert.state));
    if alert.active_at.is_some() {
        object.time("activeAt", alert.active_at.as_ref());
    }
    object.text("value", &alert.value);
    object.text("partialResponseStrategy", strategy_word(alert.partial_response_strategy));
    object.end();
}

fn strategy_word(strategy: i32) -> &'static str {
    if strategy == super::strategy(true) { "WARN" } else { "ABORT" }
}

fn state_word(state: i32) -> &'static str {
    match AlertState::try_from(state) {
        Ok(AlertState::Inactive) => "inactive",
        Ok(AlertState::Pending) => "pending",
        Ok(AlertState::Firing) => "firing",
        _ => "unknown",
    }
}
