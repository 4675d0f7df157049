//! Everything that a real Prometheus was asked and recorded, asked again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::Served;
use crate::tools::fixtures;

/// What Prometheus was started with; the values of `features` in the recordings.
const FEATURES: [(&str, &str); 3] = [
    ("default", ""),
    (
        "experimental",
        "promql-experimental-functions,promql-duration-expr,promql-extended-range-selectors,promql-binop-fill-modifiers",
    ),
    (
        "experimental+delayed-name-removal",
        "promql-experimental-functions,promql-duration-expr,promql-extended-range-selectors,promql-binop-fill-modifiers,promql-delayed-name-removal",
    ),
];

/// Queries that Prometheus 3.14 answers otherwise than 3.12, which was recorded, and why.
const CHANGED: [(&str, &str); 10] = [
    ("up * on(job) build_info", "the two series of the error are sorted"),
    ("up * on(job) group_left build_info", "the two series of the error are sorted"),
    (
        "kube_pod_status_phase == ignoring(pod) kube_pod_status_phase",
        "the two series of the error are sorted",
    ),
    ("avg_over_time(node_load1[max(1m,step())])", "durations have max_of in place of max"),
    ("avg_over_time(node_load1[min(5m,1m)])", "durations have min_of in place of min"),
    ("node_load1 offset -(5m)", "the parser does not crash any more"),
    ("rate(rpc_latency_seconds[5m] smoothed)", "native histograms can be smoothed"),
    ("max_of(1,2)", "a new function"),
    ("min_of(1,2)", "a new function"),
    ("mad_over_time(weird_value{instance=\"eu-db-1:9101\"}[5m])", "NaN is not left out"),
];

/// A query that may not take longer than a millisecond; on a busy machine it does.
const HURRIED: &str = "api-020";

/// How near an answer comes to the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Likeness {
    Exact,
    /// The same series in another order, where Prometheus promises none.
    SameSet,
    Different(String),
}

#[derive(Debug, Default)]
struct Counts {
    exact: u32,
    same_set: u32,
    /// Where Prometheus itself has changed.
    changed: u32,
    different: u32,
}

fn texts(response: &Value, list: &str) -> Vec<String> {
    let texts = response[list].as_array().into_iter().flatten();
    let mut texts: Vec<String> = texts.map(|text| text.as_str().unwrap_or_default().to_owned()).collect();
    texts.sort();
    texts
}

fn sorted(result: &Value) -> Vec<String> {
    let mut series: Vec<String> = result.as_array().into_iter().flatten().map(Value::to_string).collect();
    series.sort();
    series
}

/// Whether two values are the same where their numbers are: `1` and `1.0` are.
fn same(recorded: &Value, found: &Value) -> bool {
    match (recorded, found) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => recorded == found,
    }
}

fn changed(recorded: &Value) -> bool {
    CHANGED.iter().any(|(query, _)| recorded["query"] == *query)
}

fn shortened(text: &str) -> String {
    text.chars().take(700).collect()
}

/// Compares the answer to a request; times and versions of the server, which are its own, are left out by `own`.
fn compare(recorded: &Value, status: u16, body: &[u8]) -> Likeness {
    let (recorded_status, response) = (&recorded["http_status"], &recorded["response"]);
    let differ = |what: &str| {
        let body = shortened(&String::from_utf8_lossy(body));
        Likeness::Different(format!(
            "{what}\n  recorded {recorded_status} {}\n  found    {status} {body}",
            shortened(&response.to_string())
        ))
    };
    if recorded_status.as_u64() != Some(status.into()) {
        return differ("status");
    }
    if let Some(text) = response["_non_json_body"].as_str() {
        return if text.as_bytes() == body { Likeness::Exact } else { differ("text") };
    }
    let Ok(found) = serde_json::from_slice::<Value>(body) else { return differ("no JSON") };
    for field in ["status", "errorType", "error"] {
        if response[field] != found[field] {
            return differ(field);
        }
    }
    for list in ["warnings", "infos"] {
        if texts(response, list) != texts(&found, list) {
            return differ(list);
        }
    }
    let (mut recorded_data, mut data) = (response["data"].clone(), found["data"].clone());
    if recorded["request"] == "GET /api/v1/status/buildinfo" {
        let names = |data: &Value| data.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        return if names(&recorded_data) == names(&data) { Likeness::Exact } else { differ("fields") };
    }
    for data in [&mut recorded_data, &mut data] {
        if let Some(timings) = data.pointer_mut("/stats/timings").and_then(Value::as_object_mut) {
            timings.values_mut().for_each(|time| *time = Value::Null);
        }
        // How many samples are held at once is the engine's own affair: ours holds fewer.
        if let Some(peak) = data.pointer_mut("/stats/samples/peakSamples") {
            *peak = Value::Null;
        }
    }
    if same(&recorded_data, &data) {
        return Likeness::Exact;
    }
    let same_set = recorded_data["result"].is_array()
        && recorded_data["resultType"] == data["resultType"]
        && sorted(&recorded_data["result"]) == sorted(&data["result"]);
    if same_set && recorded["repeat_differs"] == "order" { Likeness::SameSet } else { differ("data") }
}

/// The value of a parameter as it was sent.
fn sent(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(sent).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// The request of a line: method, path, parameters.
fn request(file: &str, recorded: &Value) -> (String, String, Vec<(String, String)>) {
    if let Some(request) = recorded["request"].as_str() {
        let (method, path) = request.split_once(' ').unwrap();
        let parameters = recorded["params"].as_object().unwrap();
        let pairs = parameters
            .iter()
            .flat_map(|(name, value)| sent(value).into_iter().map(|value| (name.clone(), value)));
        return (method.to_owned(), path.to_owned(), pairs.collect());
    }
    let path = match recorded["endpoint"].as_str() {
        Some(path) => path.to_owned(),
        None => format!("/api/v1/{}", file.trim_end_matches(".jsonl")),
    };
    let names = ["query", "time", "start", "end", "step"];
    let pairs = names.iter().filter(|name| !recorded[**name].is_null());
    let pairs =
        pairs.flat_map(|name| sent(&recorded[*name]).into_iter().map(|value| ((*name).to_owned(), value)));
    ("GET".to_owned(), path, pairs.collect())
}

#[test]
#[expect(clippy::print_stderr, reason = "the table is what one wants to see")]
fn all_recorded_answers_are_given_again() {
    let Some(fixtures) = fixtures() else { return };
    let database = tempfile::tempdir().unwrap();
    for block in fs::read_to_string(fixtures.join("promql/BLOCKS.txt")).unwrap().lines() {
        symlink(fixtures.join("bucket-raw").join(block), database.path().join(block)).unwrap();
    }
    let served: BTreeMap<&str, Served> = FEATURES
        .iter()
        .map(|(name, flags)| {
            let arguments = ["--query.max-samples=5000000", &format!("--enable-feature={flags}")];
            (*name, Served::start(database.path(), &arguments))
        })
        .collect();
    let mut table = Vec::new();
    let mut differences = Vec::new();
    for path in files(&fixtures.join("promql")) {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut counts = Counts::default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let recorded: Value = serde_json::from_str(line).unwrap();
            let served = &served[recorded["features"].as_str().unwrap_or("default")];
            let (method, path, parameters) = request(&file, &recorded);
            let pairs: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let (status, body) =
                if method == "POST" { served.post(&path, &pairs) } else { served.get(&path, &pairs) };
            match compare(&recorded, status, &body) {
                Likeness::Exact => counts.exact += 1,
                Likeness::SameSet => counts.same_set += 1,
                Likeness::Different(_) if recorded["id"] == HURRIED && status == 503 => counts.exact += 1,
                Likeness::Different(_) if changed(&recorded) => counts.changed += 1,
                Likeness::Different(what) => {
                    counts.different += 1;
                    let id = recorded["id"].as_str().unwrap_or_default();
                    differences.push(format!("{file} {id} {pairs:?}\n  {what}"));
                }
            }
        }
        let Counts { exact, same_set, changed, different } = counts;
        let total = exact + same_set + changed + different;
        table.push(format!(
            "{file:32} exact {exact:5}  as sets {same_set:3}  changed in 3.14 {changed:3}  different {different:4}  of {total:5}"
        ));
    }
    eprintln!("{}", table.join("\n"));
    assert!(differences.is_empty(), "{}\n{}", table.join("\n"), differences.join("\n"));
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    files.sort();
    files
}
