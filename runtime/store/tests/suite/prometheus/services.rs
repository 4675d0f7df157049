//! Rules, targets, metadata, exemplars, statistics and Info, with the answers that were recorded of Thanos' sidecar.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use prost::Message;
use serde_json::{Value, json};
use server::probe::Probe;
use store::prometheus::PrometheusServices;
use storeapi::info::info_server::Info;
use storeapi::info::{InfoRequest, InfoResponse};
use storeapi::thanos::exemplars_server::Exemplars;
use storeapi::thanos::metadata_server::Metadata;
use storeapi::thanos::rules_server::Rules;
use storeapi::thanos::status_server::Status as StatusService;
use storeapi::thanos::targets_server::Targets;
use storeapi::thanos::{
    ExemplarsRequest, ExemplarsResponse, LabelMatcher, MetricMetadataRequest, MetricMetadataResponse,
    RulesRequest, RulesResponse, TargetsRequest, TargetsResponse, TsdbStatisticsRequest, exemplars_response,
    metric_metadata_response, rule, rules_response, targets_response, tsdb_statistics_response,
};
use tonic::{Request, Response, Status};

use super::fake::{Answer, Asked, Fake, Handler};
use super::recorded::{Case, cases, read_json, refusal, same_status, wire};
use super::{always, store_over};

const EXTERNAL: [(&str, &str); 2] = [("cluster", "one"), ("replica", "p1")];

async fn services(fake: &Fake) -> PrometheusServices {
    let probe = Probe::new();
    probe.set_ready(true);
    PrometheusServices::new(store_over(fake, &EXTERNAL, "3.12.0"), probe, Duration::from_secs(5))
}

type Answers<T> = Result<Response<futures::stream::BoxStream<'static, Result<T, Status>>>, Status>;

async fn all<T>(answer: Answers<T>) -> Result<Vec<T>, Status> {
    let mut stream = answer?.into_inner();
    let mut all = Vec::new();
    while let Some(next) = stream.next().await {
        all.push(next?);
    }
    Ok(all)
}

/// The body of a recorded answer of Prometheus.
fn body(wire: &Path, name: &str) -> String {
    let exchange = read_json(&wire.join("http/sidecar-to-prometheus").join(format!("{name}.json")));
    exchange["response"]["body_text"].as_str().expect("a body").to_owned()
}

fn same<T: Message + Default + PartialEq + std::fmt::Debug>(
    case: &Case,
    found: Result<Vec<T>, Status>,
    blur: impl Fn(&mut T),
) {
    let mut found = match found {
        Ok(found) => found,
        Err(status) => {
            return same_status(case, &status).unwrap_or_else(|text| panic!("{}: {text}", case.name));
        }
    };
    assert_eq!(case.code, 0, "{}", case.name);
    let mut wanted: Vec<T> =
        case.answers.iter().map(|answer| T::decode(answer.clone()).expect("a message")).collect();
    found.iter_mut().chain(&mut wanted).for_each(blur);
    assert_eq!(found, wanted, "{}", case.name);
}

/// Takes away what was different when the answer of Prometheus was recorded.
fn without_times(response: &mut RulesResponse) {
    let Some(rules_response::Result::Group(group)) = &mut response.result else { panic!("{response:?}") };
    group.evaluation_duration_seconds = 0.0;
    group.last_evaluation = None;
    for rule in &mut group.rules {
        match rule.result.as_mut().expect("a rule") {
            rule::Result::Recording(rule) => {
                rule.evaluation_duration_seconds = 0.0;
                rule.last_evaluation = None;
            }
            rule::Result::Alert(rule) => {
                rule.evaluation_duration_seconds = 0.0;
                rule.last_evaluation = None;
                for alert in &mut rule.alerts {
                    alert.value.clear();
                    alert.annotations = None;
                }
                rule.alerts.sort_by_key(|alert| alert.encode_to_vec());
            }
        }
    }
}

#[tokio::test]
async fn recorded_rules_are_given_again() {
    let Some(wire) = wire() else { return };
    let all_cases = cases(&wire, "Rules");
    for case in &all_cases {
        let groups: Value = serde_json::from_str(&body(&wire, "GET_api_v1_rules_200_")).expect("JSON");
        let (alerts, refusal) = (body(&wire, "GET_api_v1_rules_200_type"), refusal(case));
        let handler: Handler = Arc::new(move |asked: &Asked| match (asked.param("type"), &refusal) {
            (_, Some(refusal)) => refusal.clone(),
            (None, None) => Answer::json(200, groups.to_string()),
            (Some("alert"), None) => Answer::json(200, alerts.clone()),
            (Some("record"), None) => {
                let mut groups = groups.clone();
                for group in groups["data"]["groups"].as_array_mut().expect("groups") {
                    let rules = group["rules"].as_array_mut().expect("rules");
                    rules.retain(|rule| rule["type"] == "recording");
                }
                Answer::json(200, groups.to_string())
            }
            (Some(other), None) => panic!("{other}"),
        });
        let fake = Fake::start(handler).await;
        let request = RulesRequest::decode(case.request.clone()).expect("a message");
        same(case, all(services(&fake).await.rules(Request::new(request)).await).await, without_times);
    }
    eprintln!("sidecar Rules: {0} of {0} recorded calls match", all_cases.len());
}

#[tokio::test]
async fn recorded_targets_are_given_again() {
    let Some(wire) = wire() else { return };
    let all_cases = cases(&wire, "Targets");
    for case in &all_cases {
        let everything: Value = serde_json::from_str(&body(&wire, "GET_api_v1_targets_200_")).expect("JSON");
        let handler: Handler = Arc::new(move |asked: &Asked| {
            let mut everything = everything.clone();
            let data = &mut everything["data"];
            if matches!(asked.param("state"), Some("dropped" | "9")) {
                data["activeTargets"] = json!([]);
            }
            if matches!(asked.param("state"), Some("active" | "9")) {
                data["droppedTargets"] = json!([]);
            }
            Answer::json(200, everything.to_string())
        });
        let fake = Fake::start(handler).await;
        let request = TargetsRequest::decode(case.request.clone()).expect("a message");
        let found = all(services(&fake).await.targets(Request::new(request)).await).await;
        same(case, found, |response: &mut TargetsResponse| {
            let Some(targets_response::Result::Targets(targets)) = &mut response.result else { panic!() };
            for target in &mut targets.active_targets {
                target.last_scrape = None;
                target.last_scrape_duration = 0.0;
            }
        });
    }
    eprintln!("sidecar Targets: {0} of {0} recorded calls match", all_cases.len());
}

#[tokio::test]
async fn recorded_metadata_are_given_again() {
    let Some(wire) = wire() else { return };
    let all_cases = cases(&wire, "MetricMetadata");
    for case in &all_cases {
        let recorded = MetricMetadataResponse::decode(case.answers[0].clone()).expect("a message");
        let Some(metric_metadata_response::Result::Metadata(metadata)) = recorded.result else { panic!() };
        let served: Value = metadata
            .metadata
            .iter()
            .map(|(metric, entry)| {
                let metas = entry.metas.iter();
                let metas: Vec<Value> = metas
                    .map(|meta| json!({"type": meta.r#type, "help": meta.help, "unit": meta.unit}))
                    .collect();
                (metric.clone(), Value::Array(metas))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let fake = Fake::start(always(Answer::data(served))).await;
        let request = MetricMetadataRequest::decode(case.request.clone()).expect("a message");
        let limit = (request.limit >= 0).then(|| request.limit.to_string());
        let metric = Some(request.metric.clone()).filter(|metric| !metric.is_empty());
        let found = all(services(&fake).await.metric_metadata(Request::new(request)).await).await;
        same(case, found, |_: &mut MetricMetadataResponse| {});
        let asked = fake.asked().remove(0);
        assert_eq!((asked.param("limit"), asked.param("metric")), (limit.as_deref(), metric.as_deref()));
    }
    eprintln!("sidecar MetricMetadata: {0} of {0} recorded calls match", all_cases.len());
}

#[tokio::test]
async fn recorded_exemplars_are_given_again() {
    let Some(wire) = wire() else { return };
    let all_cases = cases(&wire, "Exemplars");
    let text = |set: &Option<storeapi::thanos::LabelSet>, external: bool| -> Value {
        let labels = set.iter().flat_map(|set| &set.labels);
        let kept = labels.filter(|label| external || !EXTERNAL.iter().any(|(name, _)| label.name == *name));
        kept.map(|label| (label.name.clone(), json!(label.value))).collect::<serde_json::Map<_, _>>().into()
    };
    for case in &all_cases {
        let served: Vec<Value> = case
            .answers
            .iter()
            .map(|answer| {
                let response = ExemplarsResponse::decode(answer.clone()).expect("a message");
                let Some(exemplars_response::Result::Data(data)) = response.result else { panic!() };
                let exemplars: Vec<Value> = data
                    .exemplars
                    .iter()
                    .map(|exemplar| {
                        let time: Value = serde_json::from_str(&format!("{}.{:03}", exemplar.ts / 1000, exemplar.ts % 1000))
                            .expect("a number");
                        json!({"labels": text(&exemplar.labels, true), "value": exemplar.value.to_string(), "timestamp": time})
                    })
                    .collect();
                json!({"seriesLabels": text(&data.series_labels, false), "exemplars": exemplars})
            })
            .collect();
        let answer = refusal(case).unwrap_or_else(|| Answer::data(Value::Array(served)));
        let fake = Fake::start(always(answer)).await;
        let request = ExemplarsRequest::decode(case.request.clone()).expect("a message");
        same(
            case,
            all(services(&fake).await.exemplars(Request::new(request)).await).await,
            |_: &mut ExemplarsResponse| {},
        );
    }
    eprintln!("sidecar Exemplars: {0} of {0} recorded calls match", all_cases.len());
}

#[tokio::test]
async fn what_is_recorded_of_info_is_told_and_status_is_new() {
    let Some(wire) = wire() else { return };
    let case = cases(&wire, "Info").remove(0);
    let mut wanted = InfoResponse::decode(case.answers[0].clone()).expect("a message");
    // Thanos 0.41 had no statistics of a sidecar yet.
    wanted.status = Some(storeapi::info::StatusInfo {});
    let fake = Fake::start(always(Answer::json(404, ""))).await;
    let store = store_over(&fake, &EXTERNAL, "");
    let probe = Probe::new();
    let services = PrometheusServices::new(store.clone(), probe.clone(), Duration::from_secs(5));
    let refused = services.info(Request::new(InfoRequest {})).await.expect_err("it is not ready");
    assert_eq!(refused.message(), "Not ready");
    probe.set_ready(true);
    let mut found = services.info(Request::new(InfoRequest {})).await.expect("an answer").into_inner();
    let times = found.store.as_mut().expect("a store");
    assert_eq!((times.min_time, times.max_time), (i64::MIN, i64::MAX));
    times.min_time = 1_795_248_003_000;
    times.tsdb_infos[0].min_time = 1_795_248_003_000;
    assert_eq!(found, wanted);
    eprintln!("sidecar Info: 1 of 1 recorded calls match");
}

#[tokio::test]
async fn statistics_of_the_head_are_passed_on_where_the_external_labels_match() {
    let served = json!({
        "headStats": {"numSeries": 508, "numLabelPairs": 1234, "chunkCount": 937, "minTime": 1_591_516_800_000_i64, "maxTime": 1_598_896_800_143_i64},
        "seriesCountByMetricName": [{"name": "a", "value": 20}, {"name": "b", "value": 10}],
        "labelValueCountByLabelName": [{"name": "__name__", "value": 211}],
        "memoryInBytesByLabelName": [{"name": "__name__", "value": 8266}],
        "seriesCountByLabelValuePair": [{"name": "job=x", "value": 425}],
    });
    let fake = Fake::start(always(Answer::data(served))).await;
    let services = services(&fake).await;
    let matcher =
        |name: &str, value: &str| LabelMatcher { r#type: 0, name: name.to_owned(), value: value.to_owned() };
    let ask = async |limit, matchers| {
        let request = TsdbStatisticsRequest { limit, matchers, ..TsdbStatisticsRequest::default() };
        let mut found = all(services.tsdb_statistics(Request::new(request)).await).await.expect("an answer");
        let Some(tsdb_statistics_response::Result::Statistics(statistics)) = found.remove(0).result else {
            panic!()
        };
        statistics.statistics
    };
    let found = ask(1, vec![matcher("cluster", "one")]).await;
    let entry = &found[""];
    assert_eq!(
        entry.head_statistics.as_ref().map(|head| (head.num_series, head.chunk_count)),
        Some((508, 937))
    );
    assert_eq!(entry.series_count_by_metric_name.len(), 1);
    assert_eq!(entry.series_count_by_label_value_pair[0].value, 425);
    assert_eq!(fake.asked()[0].param("limit"), Some("1"));
    assert!(ask(0, vec![matcher("cluster", "two")]).await.is_empty());
    assert_eq!(fake.asked().len(), 1, "Prometheus is not asked in vain");
}
