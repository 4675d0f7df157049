//! The recorded answers of Thanos' querier over its store gateway, asked again of ours over the same buckets.
#![expect(clippy::print_stderr, reason = "says what it compared")]

use std::path::Path;

use serde_json::{Value, json};

use super::component::Component;

/// Requests whose answers tell of the program and the moment: only their shape is compared.
const OF_THE_MOMENT: [&str; 6] = ["108", "109", "110", "111", "128", "131"];

/// Rates of a raw counter over changes of replicas that saw different resets. Thanos takes resets away first, so that the replicas differ
/// by what only one of them saw, and at each change of turns counts that once more or loses what was counted meanwhile. Here the
/// samples decide.
const OVER_CHANGES: &str = "039";

#[test]
fn recorded_requests_have_the_recorded_answers() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("PRONOIA_SHARED is not set: recorded answers of Thanos are not compared");
        return;
    };
    let fixtures = Path::new(&shared).join("fixtures");
    let requests = requests(&fixtures.join("thanos-http"));
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    for bucket in ["raw", "compacted", "dedup"] {
        let data = tempfile::tempdir().unwrap();
        let store = Component::start(
            "store",
            &[
                format!("--data-dir={}", data.path().display()),
                format!(
                    "--objstore.config={{\"type\": \"FILESYSTEM\", \"config\": {{\"directory\": \"{}\"}}}}",
                    fixtures.join(format!("bucket-{bucket}")).display()
                ),
            ],
        );
        for engine in ["prometheus", "thanos"] {
            let query = Component::start(
                "query",
                &[
                    format!("--endpoint={}", store.grpc),
                    "--query.replica-label=prometheus_replica".to_owned(),
                    "--query.auto-downsampling".to_owned(),
                    format!("--query.promql-engine={engine}"),
                ],
            );
            for request in &requests {
                request.compare(&query, bucket, engine, &mut counts, &mut wrong);
            }
        }
    }
    eprintln!("{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.equal > 200, "{counts:?}");
}

#[derive(Debug, Default)]
struct Counts {
    equal: usize,
    /// Equal but for the last digits of floats.
    close: usize,
    /// Of the same shape, where nothing else can be compared.
    shape: usize,
    /// A little different at a few steps, where the turn passes.
    turns: usize,
}

struct Recorded {
    id: String,
    method: String,
    path: String,
    body: String,
    answers: Vec<Value>,
}

fn requests(folder: &Path) -> Vec<Recorded> {
    let mut found = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "reads the recordings")]
    for file in std::fs::read_dir(folder).expect("the recordings") {
        let path = file.expect("a recording").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        let recorded: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a recording")).expect("JSON");
        let request = recorded["request"].as_str().expect("a request");
        let (method, path) = request.split_once(' ').expect("a method and a path");
        found.push(Recorded {
            id: name[..3].to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            body: recorded["body"].as_str().unwrap_or_default().to_owned(),
            answers: recorded["answers"].as_array().expect("answers").clone(),
        });
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

impl Recorded {
    fn answer(&self, bucket: &str, engine: &str) -> Option<&Value> {
        let is = |answer: &&Value| answer["bucket"] == bucket && answer["engine"] == engine;
        self.answers.iter().find(is)
    }

    fn compare(
        &self,
        query: &Component,
        bucket: &str,
        engine: &str,
        counts: &mut Counts,
        wrong: &mut Vec<String>,
    ) {
        let Some(answer) = self.answer(bucket, engine) else { return };
        let mut expected = &answer["response"];
        if expected.is_string() {
            // It was equal to that of the other engine.
            expected = &self.answer(bucket, "prometheus").expect("the other engine's answer")["response"];
        }
        let (status, _, body) = query.ask(&self.method, &self.path, &self.body);
        let got: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| json!({ "_non_json_body": String::from_utf8_lossy(&body) }));
        let (got, expected) = (ordered(&got), ordered(expected));
        let same_status = answer["http_status"] == status;
        if OF_THE_MOMENT.contains(&self.id.as_str()) {
            if same_status
                && got["status"] == expected["status"]
                && kind(&got["data"]) == kind(&expected["data"])
            {
                counts.shape += 1;
                return;
            }
        } else if same_status && got == expected {
            counts.equal += 1;
            return;
        } else if same_status && close(&without_timings(&got), &without_timings(&expected)) {
            counts.close += 1;
            return;
        } else if self.id == OVER_CHANGES && same_status && differs_little_at_few_steps(&got, &expected) {
            counts.turns += 1;
            return;
        }
        let shortened = |value: &Value| value.to_string().chars().take(500).collect::<String>();
        wrong.push(format!(
            "{} {bucket} {engine} {}: {status} {}\n  expected {} {}",
            self.id,
            self.path,
            shortened(&got),
            answer["http_status"],
            shortened(&expected)
        ));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        _ => "other",
    }
}

/// The series of an answer sorted by their labels: neither of Thanos' engines promises an order.
fn ordered(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(Value::Array(series)) = answer.get_mut("data").and_then(|data| data.get_mut("result"))
        && series.iter().all(Value::is_object)
    {
        series.sort_by_key(|one| one["metric"].to_string());
    }
    answer
}

/// How long a query took and how many samples it held differ by nature.
fn without_timings(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(stats) = answer.get_mut("data").and_then(|data| data.get_mut("stats")) {
        stats["timings"] = json!({});
        if let Some(samples) = stats["samples"].as_object_mut() {
            samples.remove("peakSamples");
        }
    }
    answer
}

/// Whether series and steps are the same, and few values differ, by two hundredths at most.
fn differs_little_at_few_steps(got: &Value, expected: &Value) -> bool {
    let points = |answer: &Value| -> Vec<(String, f64)> {
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let points = series.iter().flat_map(|one| {
            let values = one["values"].as_array().cloned().unwrap_or_default();
            let labels = one["metric"].to_string();
            values.into_iter().map(move |point| {
                let value = point[1].as_str().and_then(|text| text.parse().ok());
                (format!("{labels} {}", point[0]), value.unwrap_or(f64::NAN))
            })
        });
        points.collect()
    };
    let (got, expected) = (points(got), points(expected));
    let same_places = got.iter().map(|(place, _)| place).eq(expected.iter().map(|(place, _)| place));
    let apart = || got.iter().zip(&expected).map(|((_, got), (_, expected))| (got / expected - 1.0).abs());
    let different = apart().filter(|apart| *apart > 1e-9).count();
    same_places && (1..=got.len() / 8).contains(&different) && apart().all(|apart| apart < 0.02)
}

/// Whether two answers differ only in the last digits of floats.
fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| close(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b)),
        (Value::String(a), Value::String(b)) if a != b => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => false,
        },
        (a, b) => a == b,
    }
}
