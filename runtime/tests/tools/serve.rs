//! `tools tsdb serve` as Grafana and other programs meet it.

mod recorded;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running server; ends with the test.
struct Served {
    process: Child,
    address: String,
    _log: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(database: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args(["tools", "tsdb", "serve", "--http-address=127.0.0.1:0"])
            .args(arguments)
            .arg(database)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let (mut address, mut seen) = (String::new(), String::new());
        while address.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{seen}");
            if let Some((_, rest)) = line.split_once("address=") {
                address = rest.split_whitespace().next().unwrap().to_owned();
            }
            seen.push_str(&line);
        }
        Served { process, address, _log: log }
    }

    /// Sends a request; the status, the head and the body of the answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // Of the old version the answer comes in one piece.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> (u16, Vec<u8>) {
        let (status, _, body) = self.ask("GET", &format!("{path}?{}", encoded(parameters)), "", "");
        (status, body)
    }

    fn post(&self, path: &str, parameters: &[(&str, &str)]) -> (u16, Vec<u8>) {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (status, _, body) = self.ask("POST", path, kind, &encoded(parameters));
        (status, body)
    }

    fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        serde_json::from_slice(&self.get(path, parameters).1).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

/// Two hours of three series, in blocks.
fn database() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("samples.txt");
    let mut lines = "# TYPE requests counter\n".to_owned();
    for (job, step) in [("api", 3), ("db \"1\" <é>", 5)] {
        for sample in 0..240 {
            let job = job.replace('"', "\\\"");
            lines.push_str(&format!(
                "requests_total{{job=\"{job}\"}} {} {}\n",
                sample * step,
                1_704_067_200 + sample * 30
            ));
        }
    }
    lines.push_str(
        "# TYPE odd gauge\nodd{} 1e-07 1704067200\nodd{} +Inf 1704067230\nodd{} 1.5e+21 1704067260\n# EOF\n",
    );
    std::fs::write(&text, lines).unwrap();
    let blocks = folder.path().join("blocks");
    let run = super::run(&[
        "tools",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        text.to_str().unwrap(),
        blocks.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    folder
}

#[test]
fn queries_are_answered_as_prometheus_answers_them() {
    let folder = database();
    let served = Served::start(&folder.path().join("blocks"), &[]);
    let body = served.get("/api/v1/query", &[("query", "requests_total"), ("time", "1704067260.5")]);
    assert_eq!(
        String::from_utf8(body.1).unwrap(),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"requests_total","job":"api"},"value":[1704067260.500,"6"]},"#,
            r#"{"metric":{"__name__":"requests_total","job":"db \"1\" <é>"},"value":[1704067260.500,"10"]}]}}"#,
        )
    );
    let range = [("query", "odd"), ("start", "1704067200"), ("end", "1704067260"), ("step", "30s")];
    let body = served.post("/api/v1/query_range", &range);
    assert_eq!(
        String::from_utf8(body.1).unwrap(),
        concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"odd"},"#,
            r#""values":[[1704067200,"1e-07"],[1704067230,"+Inf"],[1704067260,"1.5e+21"]]}]}}"#,
        )
    );
    let values = served.json("/api/v1/label/job/values", &[("match[]", "requests_total")]);
    assert_eq!(values["data"], json!(["api", "db \"1\" <é>"]));
    let series = served.json("/api/v1/series", &[("match[]", "{job=~\"a.+\"}")]);
    assert_eq!(series["data"], json!([{ "__name__": "requests_total", "job": "api" }]));
}

#[test]
fn what_is_wrong_has_prometheus_words_and_status() {
    let folder = database();
    let served = Served::start(&folder.path().join("blocks"), &["--query.max-samples=100"]);
    for (path, parameters, status, error) in [
        (
            "query",
            &[("query", "sum(")][..],
            400,
            "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis",
        ),
        (
            "query_range",
            &[("query", "up"), ("start", "0"), ("end", "11001"), ("step", "1")],
            400,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query_range",
            &[("query", "up"), ("start", "5"), ("end", "4"), ("step", "1")],
            400,
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "query",
            &[("query", "requests_total[2h]"), ("time", "1704074400")],
            422,
            "query processing would load too many samples into memory in query execution",
        ),
        ("series", &[], 400, "no match[] parameter provided"),
    ] {
        let (found, body) = served.get(&format!("/api/v1/{path}"), parameters);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((found, body["error"].as_str().unwrap_or_default()), (status, error), "{path}");
    }
}

#[test]
fn the_deepest_query_that_is_read_is_also_answered() {
    let folder = database();
    let served = Served::start(&folder.path().join("blocks"), &[]);
    for term in ["odd", "sum(requests_total)", "abs(odd)"] {
        let sum = vec![term; 995].join(" + ");
        let (status, body) = served.post("/api/v1/query", &[("query", &sum), ("time", "1704067260")]);
        assert_eq!(status, 200, "{term}: {}", String::from_utf8_lossy(&body));
        let one = served.json("/api/v1/query", &[("query", term), ("time", "1704067260")]);
        let value = |answer: &Value| -> f64 {
            answer["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap()
        };
        let all = value(&serde_json::from_slice(&body).unwrap());
        assert!((all / value(&one) - 995.0).abs() < 1e-6, "{term}: {all}");
    }
}

#[test]
fn browsers_of_other_sites_may_read_and_answers_are_compressed() {
    let folder = database();
    let served = Served::start(&folder.path().join("blocks"), &[]);
    let headers = "Origin: http://grafana\r\nAccept-Encoding: gzip\r\n";
    let (status, head, body) =
        served.ask("GET", "/api/v1/query?query=requests_total%5B1y%5D&time=1704074400", headers, "");
    assert_eq!(status, 200);
    assert!(
        head.contains("access-control-allow-origin: *") && head.contains("content-encoding: gzip"),
        "{head}"
    );
    assert_eq!(body[..2], [0x1f, 0x8b]);
    let (status, head, _) = served.ask("OPTIONS", "/api/v1/query", headers, "");
    assert_eq!(status, 204);
    assert!(head.contains("access-control-allow-methods: get, post, options"), "{head}");
}

#[test]
fn unknown_features_get_a_suggestion() {
    let folder = database();
    let blocks = folder.path().join("blocks");
    let run = super::run(&[
        "tools",
        "tsdb",
        "serve",
        "--enable-feature=promql-duration-expr,promql-durations",
        blocks.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("did you mean promql-duration-expr?"), "{}", run.err);
}
