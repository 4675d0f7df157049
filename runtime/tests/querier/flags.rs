//! Flags and headers of `query`, without stores.

use std::process::Command;

use serde_json::{Value, json};

use super::component::Component;

#[test]
fn a_querier_without_stores_answers_and_says_what_it_is() {
    let query = Component::start(
        "query",
        &[
            "--query.timeout=1m".to_owned(),
            "--no-query.partial-response".to_owned(),
            "--web.external-prefix=/q".to_owned(),
        ],
    );
    let get = |path: &str| {
        let (status, head, body) = query.ask("GET", path, "");
        (status, head, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    let (status, head, answer) = get("/q/api/v1/query?query=1%2B1&time=5");
    assert_eq!(status, 200, "{head}");
    assert_eq!(answer["data"], json!({"resultType": "scalar", "result": [5, "2"], "analysis": {}}));
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let (_, _, flags) = get("/q/api/v1/status/flags");
    assert_eq!(flags["data"]["query.timeout"], "1m");
    assert_eq!(flags["data"]["query.partial-response"], "false");
    assert_eq!(flags["data"]["rule.partial-response"], "true");
    assert_eq!(flags["data"]["grpc-grace-period"], "2m0s");
    let (status, head, _) = get("/");
    assert!(status == 302 && head.contains("location: /q/graph"), "{head}");
    let (status, _, _) = get("/-/ready");
    assert_eq!(status, 200);
    let metrics = query.ask("GET", "/metrics", "").2;
    let metrics = String::from_utf8(metrics).unwrap();
    for line in
        ["thanos_query_concurrent_gate_queries_max 20", "thanos_query_concurrent_gate_queries_total 1"]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn what_a_querier_cannot_do_is_refused_in_words() {
    for (flag, words) in [
        ("--query.mode=distributed", "queries are evaluated here only"),
        ("--query.enable-x-functions", "use the modifiers anchored and smoothed"),
        ("--endpoint.sd-config={endpoints: [{address: a:1, strikt: true}]}", "did you mean `strict`"),
        ("--query.replica-lable=a", "--query.replica-label"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_pronoiad")).args(["query", flag]).output().unwrap();
        assert!(!output.status.success(), "{flag}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(words), "{flag}: {text}");
    }
}
