//! Data folders exchanged with Prometheus: what we write it opens and answers from, what it writes we open.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prom_model::{Histogram, Labels, STALE_NAN, Span};
use serde_json::Value;
use tsdb::BlockId;
use tsdb::fs::RealFs;
use tsdb::head::{Db, DbOptions, Head, HeadOptions, Sample, SampleValue};
use tsdb::wal::{Compression, PAGE_SIZE, WalOptions};

/// 2024-01-01.
const BASE: i64 = 1_704_067_200_000;
const MINUTE: i64 = 60_000;

type Contents = BTreeMap<String, Vec<(i64, u64)>>;

/// A real Prometheus on a free port, killed at the end.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(data: &Path, config: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let file = data.with_extension("yml");
        fs::write(&file, config.replace("ADDRESS", &address)).expect("a config");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--storage.tsdb.retention.time=100y", "--enable-feature=native-histograms"])
            .args(["--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(data.with_extension("log")).expect("a log"))
            .spawn()
            .expect("prometheus is installed");
        let prometheus = Prometheus { child, address };
        let deadline = Instant::now() + Duration::from_secs(60);
        while prometheus.get("/-/ready").is_none_or(|(status, _)| status != 200) {
            let log = fs::read_to_string(data.with_extension("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Prometheus is not ready: {log}");
            thread::sleep(Duration::from_millis(100));
        }
        prometheus
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The result of an instant query.
    fn query(&self, query: &str, time_ms: i64) -> Vec<Value> {
        let query = query.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let path = format!("/api/v1/query?query={query}&time={}.{:03}", time_ms / 1000, time_ms % 1000);
        let (status, body) = self.get(&path).expect("an answer");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"]["result"].as_array().expect("a result").clone()
    }

    /// All float samples up to a time, without stale markers, which queries do not show.
    fn floats(&self, selector: &str, time_ms: i64) -> Contents {
        let mut found = Contents::new();
        for series in self.query(&format!("{selector}[10h]"), time_ms) {
            let labels: Labels = serde_json::from_value(series["metric"].clone()).expect("labels");
            let values = series["values"].as_array().into_iter().flatten();
            let sample = |pair: &Value| {
                let seconds = pair[0].as_f64().expect("a time");
                let value: f64 = pair[1].as_str().expect("a value").parse().expect("a float");
                ((seconds * 1000.0).round() as i64, bits(value))
            };
            let samples: Vec<_> = values.map(sample).collect();
            if !samples.is_empty() {
                found.insert(labels.to_string(), samples);
            }
        }
        found
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn floats(head: &Head) -> Contents {
    let mut found = Contents::new();
    for series in head.select(&[], i64::MIN, i64::MAX).series() {
        let labels: Labels = series.labels().collect();
        let float = |sample: Sample| match sample.value {
            SampleValue::Float(value) if value.to_bits() != STALE_NAN.to_bits() => {
                Some((sample.timestamp, bits(value)))
            }
            _ => None,
        };
        let samples: Vec<_> =
            series.samples(i64::MIN, i64::MAX).unwrap().into_iter().filter_map(float).collect();
        if !samples.is_empty() {
            found.insert(labels.to_string(), samples);
        }
    }
    found
}

/// JSON does not say which NaN.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// Says which series differ, not all of them.
fn same(found: &Contents, expected: &Contents) {
    for (labels, samples) in expected {
        assert_eq!(found.get(labels), Some(samples), "{labels}");
    }
    let more: Vec<_> = found.keys().filter(|labels| !expected.contains_key(*labels)).collect();
    assert_eq!(more, Vec::<&String>::new());
}

fn histogram(count: u64) -> Histogram {
    Histogram {
        schema: 2,
        zero_threshold: 0.001,
        count: 2 * count,
        sum: count as f64,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![count as i64, 0],
        ..Histogram::default()
    }
}

/// Five hours of samples of every kind: blocks, head chunk files and log; what is written, as floats.
fn write_data(folder: &Path, compression: Compression, out_of_order: bool) -> Contents {
    // Small segments, so that a checkpoint replaces some.
    let wal = WalOptions { compression, segment_size: PAGE_SIZE as u64 };
    let head = HeadOptions { wal, out_of_order_window_ms: 60 * MINUTE, ..HeadOptions::default() };
    let options = DbOptions { head, ..DbOptions::default() };
    let (db, _) = Db::open(Arc::new(RealFs), folder, options, &mut |_| {}).unwrap();
    let mut written = Contents::new();
    let mut number = 0u64;
    for scrape in 0..5 * 60 * 4 {
        let timestamp = BASE + scrape * 15_000 + 1_335;
        let mut appender = db.head().appender();
        for job in ["api", "db", "温度", "4", "5", "6", "7", "8", "9", "10", "11", "12"] {
            for (name, value) in [
                ("counter_total", scrape as f64 * 3.0),
                ("gauge", if scrape % 100 == 7 { f64::INFINITY } else { (scrape as f64).sin() }),
            ] {
                let labels = [("__name__", name), ("instance", "a\"b\\c"), ("job", job)];
                let series = appender.series(&labels).unwrap();
                appender.append(series, timestamp, value).unwrap();
                let key = Labels::from(labels).to_string();
                written.entry(key).or_default().push((timestamp, value.to_bits()));
            }
        }
        let series = appender.series(&[("__name__", "latency_seconds"), ("job", "api")]).unwrap();
        appender.append_histogram(series, timestamp, &histogram(scrape as u64)).unwrap();
        if scrape == 1000 {
            let series = appender.series(&[("__name__", "gone")]).unwrap();
            appender.append(series, timestamp, STALE_NAN).unwrap();
        }
        if out_of_order && scrape % 200 == 150 {
            let labels = [("__name__", "gauge"), ("instance", "a\"b\\c"), ("job", "db")];
            let series = appender.series(&labels).unwrap();
            let late = timestamp - 10 * MINUTE - 7;
            appender.append(series, late, 0.25).unwrap();
            let samples = written.entry(Labels::from(labels).to_string()).or_default();
            samples.push((late, 0.25f64.to_bits()));
            samples.sort_unstable();
        }
        appender.commit().unwrap();
        if scrape % 40 == 0 {
            db.compact(&mut || {
                number += 1;
                BlockId::new(timestamp as u64, u128::from(number))
            })
            .unwrap();
        }
    }
    let blocks = db.blocks().unwrap().0;
    assert!(!blocks.is_empty());
    let log = fs::read_dir(folder.join("wal")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(log.into_iter().any(|name| name.to_string_lossy().starts_with("checkpoint.")));
    written
}

const NO_SCRAPES: &str = "storage: {tsdb: {out_of_order_time_window: 1h}}\n";

#[test]
fn prometheus_answers_from_what_we_write() {
    for compression in [Compression::None, Compression::Snappy] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let written = write_data(&data, compression, true);
        let end = BASE + 5 * 60 * MINUTE;
        let prometheus = Prometheus::start(&data, NO_SCRAPES);
        same(&prometheus.floats("{__name__=~\".+\"}", end), &written);
        for (function, factor) in [("histogram_count", 2.0), ("histogram_sum", 1.0)] {
            for scrape in [10, 500, 1100] {
                let time = BASE + scrape * 15_000 + 2_000;
                let result = prometheus.query(&format!("{function}(latency_seconds)"), time);
                let value = result[0]["value"][1].as_str().unwrap().parse::<f64>().unwrap();
                assert_eq!(value, factor * scrape as f64, "{function} at {scrape}");
            }
        }
        let log = fs::read_to_string(data.with_extension("log")).unwrap();
        assert!(!log.contains("level=error"), "{log}");
        assert!(!log.contains("orrupt"), "{log}");
    }
}

#[test]
fn promtool_lists_analyses_and_dumps_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Of blocks of out-of-order samples promtool thinks that nothing after them is older: without them.
    let written = write_data(&data, Compression::Snappy, false);
    let promtool = |arguments: &[&str]| {
        let output = Command::new("promtool").arg("tsdb").args(arguments).arg(&data).output();
        let output = output.expect("promtool is installed");
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {text} {errors}");
        text.into_owned()
    };
    assert!(promtool(&["list"]).lines().count() >= 2);
    assert!(promtool(&["analyze"]).contains("Series: "));
    let dump = promtool(&["dump"]);
    let dumped = dump.lines().filter(|line| line.contains("counter_total")).count();
    let counters = written.iter().filter(|(labels, _)| labels.contains("counter_total"));
    assert_eq!(dumped, counters.map(|(_, samples)| samples.len()).sum::<usize>());
}

#[test]
fn we_open_what_prometheus_wrote_until_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: self\n  static_configs: [{targets: [ADDRESS]}]\n";
    let mut prometheus = Prometheus::start(&data, config);
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("after 1970").as_millis() as i64
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while prometheus.query("count_over_time(up[1h]) >= 5", now()).is_empty() {
        assert!(Instant::now() < deadline, "five scrapes take longer than a minute");
        thread::sleep(Duration::from_millis(300));
    }
    let asked = now();
    let answered = prometheus.floats("{__name__=~\".+\"}", asked);
    prometheus.child.kill().unwrap();
    prometheus.child.wait().unwrap();
    let options = HeadOptions { exemplars_max: 1000, ..HeadOptions::default() };
    let (head, replay) = Head::open(Arc::new(RealFs), &data, options, i64::MIN, &mut |_| {}).unwrap();
    assert_eq!((replay.damage, replay.unknown_records, replay.unknown_series), (vec![], 0, 0));
    let mut found = floats(&head);
    // It went on scraping between the answer and its end.
    let last = answered.values().flatten().map(|(timestamp, _)| *timestamp).max().unwrap();
    for samples in found.values_mut() {
        samples.retain(|(timestamp, _)| *timestamp <= last);
    }
    found.retain(|_, samples| !samples.is_empty());
    assert!(answered.len() > 300, "{}", answered.len());
    same(&found, &answered);
    // And it opens the folder again after us.
    let mut appender = head.appender();
    let series = appender.series(&[("__name__", "ours")]).unwrap();
    appender.append(series, asked, 42.0).unwrap();
    appender.commit().unwrap();
    drop(head);
    let prometheus = Prometheus::start(&data, "{}");
    let ours = prometheus.query("ours", asked);
    assert_eq!(ours[0]["value"][1], "42");
    let again = prometheus.floats("{__name__=~\".+\",__name__!=\"ours\"}", last);
    same(&again, &answered);
}
