//! Answers of a Prometheus 3.12 server: errors, formatted queries, trees.
//!
//! The recordings are not part of the repository: `PRONOIA_SHARED` names a folder that has them in
//! `fixtures/promql/`.

use std::path::{Path, PathBuf};

use promql_syntax::{ParseOptions, json, parse, parse_with, pretty, prometheus_error_text};
use serde_json::Value;

/// Queries that the language of 3.14, which is ours, treats in another way than that of the recordings.
const CHANGED: [&str; 5] = [
    // `max` and `min` of durations became `max_of` and `min_of`, which are functions, too.
    "avg_over_time(node_load1[max(1m,step())])",
    "avg_over_time(node_load1[min(5m,1m)])",
    "max_of(1,2)",
    "min_of(1,2)",
    // The formatter of 3.12 crashed.
    "node_load1 offset -(5m)",
];

#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("PRONOIA_SHARED");
    if shared.is_none() {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded answers were not compared");
    }
    Some(Path::new(&shared?).join("fixtures/promql"))
}

fn answers(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compares what `ours` makes of each query with the answer, the error or else the data.
#[expect(clippy::print_stderr, reason = "the figure is of use")]
fn compare(file: &str, ours: impl Fn(&str, &ParseOptions) -> Result<Value, String>) {
    let Some(folder) = folder() else { return };
    let answers = answers(&folder.join(file));
    let mut equal = 0;
    for answer in &answers {
        let query = answer["query"].as_str().unwrap();
        let response = &answer["response"];
        let want = match response["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(response["data"].clone()),
        };
        let got =
            ours(query, &options(answer)).map_err(|error| format!("invalid parameter \"query\": {error}"));
        if CHANGED.contains(&query) {
            continue;
        }
        assert_eq!(got, want, "{query}");
        // The order of keys, too.
        assert_eq!(
            got.map(|value| value.to_string()).ok(),
            want.map(|value| value.to_string()).ok(),
            "{query}"
        );
        equal += 1;
    }
    eprintln!("{file}: {equal} of {} answers are equal", answers.len());
    assert!(equal > 200);
}

fn options(answer: &Value) -> ParseOptions {
    if answer["features"] == "default" { ParseOptions::default() } else { ParseOptions::ALL }
}

#[test]
fn formatted_queries() {
    compare("format_query.jsonl", |query, options| {
        let (expr, errors) = parse_with(query, options);
        match prometheus_error_text(&errors, query) {
            None => Ok(Value::String(pretty(&expr.unwrap()))),
            Some(error) => Err(error),
        }
    });
}

#[test]
fn trees() {
    compare("parse_query.jsonl", |query, options| {
        let (expr, errors) = parse_with(query, options);
        match prometheus_error_text(&errors, query) {
            None => Ok(json::to_json(&expr.unwrap())),
            Some(error) => Err(error),
        }
    });
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are of use")]
fn errors_and_printed_queries() {
    let Some(folder) = folder() else { return };
    let (mut refused, mut accepted) = (0, 0);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension() == Some("jsonl".as_ref()));
    for answer in files.iter().flat_map(|path| answers(path)) {
        let Some(query) = answer["query"].as_str().filter(|query| !CHANGED.contains(query)) else { continue };
        let (expr, errors) = parse_with(query, &options(&answer));
        let got = prometheus_error_text(&errors, query);
        match answer["response"]["error"].as_str().filter(|error| error.contains("parse error")) {
            Some(error) => {
                refused += 1;
                let want = error.strip_prefix("invalid parameter \"query\": ").unwrap_or(error);
                assert_eq!(got.as_deref(), Some(want), "{query}");
            }
            None => {
                accepted += 1;
                assert_eq!(got, None, "{query}");
                let expr = expr.unwrap();
                for printed in [expr.to_string(), pretty(&expr)] {
                    let (again, errors) = parse(&printed);
                    assert_eq!(errors, [], "{query} printed as {printed}");
                    let again = again.unwrap();
                    assert_eq!(again.to_string(), expr.to_string(), "{query} printed as {printed}");
                    assert_eq!(pretty(&again), pretty(&expr));
                }
            }
        }
    }
    eprintln!(
        "recorded answers: {refused} errors are equal, {accepted} queries are accepted and print again"
    );
    assert!(refused > 200 && accepted > 2500, "{refused} errors, {accepted} others");
}
