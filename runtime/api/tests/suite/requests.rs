//! Requests over storage in memory.

use std::sync::Arc;

use api::thanos::Prefix;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::memory::{Memory, NOW, firing};

async fn ask_below(memory: &Memory, prefix: &Prefix, path: &str) -> (StatusCode, HeaderMap, String) {
    let routes = api::thanos::routes(memory.api(), prefix);
    let response = routes.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn ask(memory: &Memory, path: &str) -> (StatusCode, HeaderMap, String) {
    ask_below(memory, &Prefix::default(), path).await
}

async fn data(memory: &Memory, path: &str) -> Value {
    let (status, _, body) = ask(memory, path).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["data"].clone()
}

#[tokio::test]
async fn an_answer_has_an_analysis_whoever_asked_for_it() {
    let (_, headers, body) = ask(&Memory::new(), "/api/v1/query?query=sum(up)&time=1795348800.5").await;
    let expected = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795348800.500,"2.5"]}],"analysis":{}}}"#;
    assert_eq!(body, expected);
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert!(!headers.contains_key(header::CACHE_CONTROL));

    let analysed = data(&Memory::new(), "/api/v1/query?query=sum(up)&analyze=true&engine=thanos").await;
    assert!(analysed["analysis"]["children"][0]["name"].is_string(), "{analysed}");
    let (_, _, body) = ask(&Memory::new(), "/api/v1/query?query=sum(up)&analyze=true").await;
    assert!(body.ends_with(r#""warnings":["Query not analyzable; change engine to 'thanos'."]}"#), "{body}");
}

#[tokio::test]
async fn what_storage_warns_of_forbids_to_keep_the_answer() {
    let memory = Memory { warnings: vec!["store a:1 is gone".to_owned()], ..Memory::new() };
    for path in
        ["query?query=up", "query_range?query=up&start=1&end=2", "labels", "series?match[]=up", "rules"]
    {
        let (status, headers, body) = ask(&memory, &format!("/api/v1/{path}")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert!(body.ends_with(r#","warnings":["store a:1 is gone"]}"#), "{body}");
    }
    // What evaluation has to say does not make an answer incomplete.
    let (_, headers, body) = ask(&Memory::new(), "/api/v1/query?query=rate(up[5m])").await;
    assert!(body.contains("PromQL info: metric might not be a counter"), "{body}");
    assert!(!headers.contains_key(header::CACHE_CONTROL));
}

#[tokio::test]
async fn parameters_reach_storage() {
    let memory = Memory::new();
    data(&memory, "/api/v1/query?query=up").await;
    let reading = memory.last();
    assert_eq!((reading.dedup, reading.partial_response, reading.max_resolution), (true, true, 0));
    assert_eq!(
        (reading.replica_labels, reading.tenant.as_str()),
        (vec!["replica".to_owned()], "default-tenant")
    );

    let path = "/api/v1/query_range?query=up&start=0&end=36000&step=60&dedup=0&partial_response=F\
                &max_source_resolution=auto&replicaLabels[]=a&replicaLabels[]=b&storeMatch[]=%7B__address__%3D%22x%22%7D\
                &shard_info=%7B%22shard_index%22%3A1%2C%22total_shards%22%3A3%2C%22by%22%3Atrue%2C%22labels%22%3A%5B%22c%22%5D%7D";
    data(&memory, path).await;
    let reading = memory.last();
    assert_eq!((reading.dedup, reading.partial_response, reading.max_resolution), (false, false, 12_000));
    assert_eq!((reading.replica_labels.len(), reading.store_match.len()), (2, 1));
    let shard = reading.shard.unwrap();
    assert_eq!(
        (shard.shard_index, shard.total_shards, shard.by, shard.labels),
        (1, 3, true, vec!["c".to_owned()])
    );

    data(&memory, "/api/v1/series?match[]=up&limit=2").await;
    assert_eq!((memory.last().limit, memory.last().max_resolution), (3, i64::MAX));
}

#[tokio::test]
async fn a_range_without_a_step_has_250_of_them() {
    let times = |value: &Value| {
        let values = value["result"][0]["values"].as_array().unwrap();
        (values.len(), values[1][0].as_i64().unwrap() - values[0][0].as_i64().unwrap())
    };
    let memory = Memory::new();
    let short = data(&memory, "/api/v1/query_range?query=sum(up)&start=1000&end=1060").await;
    assert_eq!(times(&short), (61, 1));
    let long = data(&memory, "/api/v1/query_range?query=sum(up)&start=1000&end=26000").await;
    assert_eq!(times(&long), (251, 100));
}

#[tokio::test]
async fn limits_are_told() {
    let (_, headers, body) = ask(&Memory::new(), "/api/v1/label/instance/values?limit=1").await;
    assert_eq!(body, r#"{"status":"success","data":["one"],"warnings":["results truncated due to limit"]}"#);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let (_, _, body) = ask(&Memory::new(), "/api/v1/label/instance/values?limit=2").await;
    assert_eq!(body, r#"{"status":"success","data":["one","two"]}"#);
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_others() {
    let memory = Memory::new();
    let mut api = memory.api();
    let mut settings = (*api.settings).clone();
    settings.tenancy.enforced = true;
    api.settings = Arc::new(settings);
    for (tenant, count) in [("a", 3), ("b", 0)] {
        let routes = api::thanos::routes(api.clone(), &Prefix::default());
        let request = Request::get("/api/v1/query?query=up").header("THANOS-TENANT", tenant);
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["data"]["result"].as_array().unwrap().len(), count, "{tenant}");
        assert_eq!(memory.last().tenant, tenant);
    }
}

#[tokio::test]
async fn endpoints_are_shown_by_component() {
    let stores = data(&Memory::new(), "/api/v1/stores").await;
    assert_eq!(stores["sidecar"][0]["lastError"], json!("gone"));
    assert_eq!(
        stores["store"],
        json!([{"name": "b:1", "lastCheck": "2026-11-22T12:00:00.000000005Z", "lastError": null,
            "labelSets": [{"replica": "x"}], "minTime": 0, "maxTime": i64::MAX}])
    );
}

#[tokio::test]
async fn rules_and_alerts_have_thanos_shape() {
    let memory = Memory { rules: vec![firing()], ..Memory::new() };
    let rules = data(&memory, "/api/v1/rules").await;
    let alert = json!({"labels": {"alertname": "Down"}, "annotations": {}, "state": "firing",
        "activeAt": "2026-11-22T12:00:00.12Z", "value": "1e+00", "partialResponseStrategy": "WARN"});
    assert_eq!(
        rules["groups"][0],
        json!({"name": "g", "file": "f.yml", "rules": [{"state": "firing", "name": "Down", "query": "up < 1",
            "duration": 60, "labels": {"severity": "page"}, "annotations": {}, "alerts": [alert.clone()], "health": "ok",
            "evaluationTime": 0.25, "lastEvaluation": "0001-01-01T00:00:00Z", "keepFiringFor": 0, "type": "alerting"}],
            "interval": 15, "evaluationTime": 0, "lastEvaluation": "0001-01-01T00:00:00Z", "limit": 0,
            "partialResponseStrategy": "WARN"})
    );
    assert_eq!(data(&memory, "/api/v1/alerts").await, json!({"alerts": [alert]}));
    assert_eq!(data(&Memory::new(), "/api/v1/alerts").await, json!({"alerts": null}));
}

#[tokio::test]
async fn plans_are_trees() {
    let plan = data(&Memory::new(), "/api/v1/query_explain?query=sum(up)%2B1&engine=thanos").await;
    assert!(
        plan["name"].is_string() && plan["children"].as_array().is_some_and(|below| !below.is_empty()),
        "{plan}"
    );
}

#[tokio::test]
async fn everything_lies_below_the_prefix() {
    let prefix = Prefix { route: "/thanos/".to_owned(), external: String::new(), header: None };
    let memory = Memory::new();
    let (status, headers, _) = ask_below(&memory, &prefix, "/").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::FOUND, "/thanos/graph"));
    let (status, _, _) = ask_below(&memory, &prefix, "/thanos/api/v1/labels").await;
    assert_eq!(status, StatusCode::OK);
    let (status, _, body) = ask_below(&memory, &prefix, "/api/v1/labels").await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    let (status, _, body) = ask_below(&memory, &prefix, "/thanos/graph").await;
    assert!(status == StatusCode::OK && body.contains("href=\"/thanos/api/v1/stores\""), "{body}");
}

#[tokio::test]
async fn preflights_are_answered() {
    let routes = api::thanos::routes(Memory::new().api(), &Prefix::default());
    for path in ["/api/v1/query", "/api/v1/anything"] {
        let request = Request::options(path).body(Body::empty()).unwrap();
        let response = routes.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, POST, OPTIONS");
    }
    let info = data(&Memory::new(), "/api/v1/status/runtimeinfo").await;
    assert_eq!((info["startTime"].as_str(), NOW), (Some("2026-11-22T12:00:00Z"), NOW));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_however_many_ask_at_once() {
    let start = NOW / 1000 - 10_000;
    let long =
        |query: &str| format!("/api/v1/query_range?query={query}&start={start}&end={}&step=1", NOW / 1000);
    let paths = [
        long("sum(quantile_over_time(0.9,up[1h]))"),
        long("max_over_time(sum_over_time(up[5m])[1h:10s])"),
        long("up*on(instance,replica)up"),
        "/api/v1/query?query=sum(up)".to_owned(),
        "/api/v1/query?query=up".to_owned(),
    ];
    let memory = Memory::new();
    let routes = api::thanos::routes(memory.api(), &Prefix::default());
    let ask = |path: &str| {
        let answer = routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
        async move {
            let (parts, body) = answer.await.unwrap().into_parts();
            (parts.status, axum::body::to_bytes(body, 8 << 20).await.unwrap())
        }
    };
    let mut alone = Vec::new();
    for path in &paths {
        let answer = ask(path).await;
        assert_eq!(answer.0, StatusCode::OK, "{path}");
        alone.push(answer);
    }
    let all: Vec<_> = paths.iter().cycle().take(60).map(|path| tokio::spawn(ask(path))).collect();
    for (answer, (path, expected)) in all.into_iter().zip(paths.iter().zip(&alone).cycle()) {
        assert!(answer.await.unwrap() == *expected, "{path}");
    }
}
