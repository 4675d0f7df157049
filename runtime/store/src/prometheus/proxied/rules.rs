//! `thanos.Rules`: `/api/v1/rules`.

use futures::stream::BoxStream;
use prom_model::Labels;
use serde::Deserialize;
use storeapi::thanos::{
    Alert, AlertInstance, AlertState, PartialResponseStrategy, RecordingRule, Rule, RuleGroup, RulesRequest,
    RulesResponse, rule, rules_request, rules_response, rules_server,
};
use tonic::{Request, Status};

use super::time::JsonTime;
use super::{Answer, JsonLabels, PrometheusServices, enriched, plain, stream};

#[derive(Default, Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    name: String,
    file: String,
    rules: Vec<JsonRule>,
    interval: f64,
    limit: i64,
    evaluation_time: f64,
    last_evaluation: JsonTime,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum JsonRule {
    Recording(Recording),
    Alerting(Alerting),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Recording {
    name: String,
    query: String,
    labels: JsonLabels,
    health: String,
    last_error: String,
    evaluation_time: f64,
    last_evaluation: JsonTime,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Alerting {
    state: JsonState,
    name: String,
    query: String,
    duration: f64,
    keep_firing_for: f64,
    labels: JsonLabels,
    annotations: JsonLabels,
    alerts: Vec<Instance>,
    health: String,
    last_error: String,
    evaluation_time: f64,
    last_evaluation: JsonTime,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Instance {
    labels: JsonLabels,
    annotations: JsonLabels,
    state: JsonState,
    active_at: Option<JsonTime>,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JsonState {
    #[default]
    Unknown,
    Inactive,
    Pending,
    Firing,
}

impl JsonState {
    const fn number(&self) -> i32 {
        let state = match self {
            JsonState::Unknown => AlertState::Unknown,
            JsonState::Inactive => AlertState::Inactive,
            JsonState::Pending => AlertState::Pending,
            JsonState::Firing => AlertState::Firing,
        };
        state as i32
    }
}

impl Group {
    fn message(self, external: &Labels) -> RuleGroup {
        RuleGroup {
            name: self.name,
            file: self.file,
            rules: self.rules.into_iter().map(|rule| rule.message(external)).collect(),
            interval: self.interval,
            evaluation_duration_seconds: self.evaluation_time,
            last_evaluation: self.last_evaluation.message(),
            // Prometheus has no partial answers.
            partial_response_strategy: PartialResponseStrategy::Abort.into(),
            limit: self.limit,
        }
    }
}

impl JsonRule {
    fn message(self, external: &Labels) -> Rule {
        let result = match self {
            JsonRule::Recording(rule) => rule::Result::Recording(RecordingRule {
                name: rule.name,
                query: rule.query,
                labels: enriched(rule.labels, external),
                health: rule.health,
                last_error: rule.last_error,
                evaluation_duration_seconds: rule.evaluation_time,
                last_evaluation: rule.last_evaluation.message(),
            }),
            JsonRule::Alerting(rule) => rule::Result::Alert(Alert {
                state: rule.state.number(),
                name: rule.name,
                query: rule.query,
                duration_seconds: rule.duration,
                labels: enriched(rule.labels, external),
                annotations: plain(rule.annotations),
                alerts: rule.alerts.into_iter().map(Instance::message).collect(),
                health: rule.health,
                last_error: rule.last_error,
                evaluation_duration_seconds: rule.evaluation_time,
                last_evaluation: rule.last_evaluation.message(),
                keep_firing_for_seconds: rule.keep_firing_for,
            }),
        };
        Rule { result: Some(result) }
    }
}

impl Instance {
    fn message(self) -> AlertInstance {
        AlertInstance {
            labels: plain(self.labels),
            annotations: plain(self.annotations),
            state: self.state.number(),
            active_at: self.active_at.and_then(JsonTime::message),
            value: self.value,
            partial_response_strategy: PartialResponseStrategy::Warn.into(),
        }
    }
}

#[tonic::async_trait]
impl rules_server::Rules for PrometheusServices {
    type RulesStream = BoxStream<'static, Result<RulesResponse, Status>>;

    async fn rules(&self, request: Request<RulesRequest>) -> Answer<RulesResponse> {
        use rules_request::Type;
        let query = match (Type::try_from(request.get_ref().r#type), request.get_ref().r#type) {
            (Ok(Type::All), _) => Vec::new(),
            (Ok(kind), _) => vec![("type", kind.as_str_name().to_ascii_lowercase())],
            (Err(_), number) => vec![("type", number.to_string())],
        };
        let groups: Groups = self.client.data(&["api", "v1", "rules"], &query).await?;
        let external = self.peer.labels();
        let response = |group: Group| {
            let result = rules_response::Result::Group(group.message(&external));
            RulesResponse { result: Some(result) }
        };
        stream(groups.groups.into_iter().map(response).collect())
    }
}
