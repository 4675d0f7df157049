//! `tools bucket downsample` on recorded blocks: once, and as a service.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use super::Bucket;

/// What tells the blocks of the recorded bucket apart, and what of them must be made again.
type Made = BTreeMap<(String, i64, i64), Value>;

/// Of each block that was downsampled: labels, resolution and first millisecond, and what it holds.
fn downsampled(bucket: &Bucket) -> Made {
    let metas = metas(bucket);
    let made = metas.iter().filter(|meta| resolution(meta) > 0).map(|meta| {
        let key = (meta["thanos"]["labels"].to_string(), resolution(meta), meta["minTime"].as_i64().unwrap());
        let stats = &meta["stats"];
        let of = |name: &str| stats[name].clone();
        let held = serde_json::json!([
            meta["maxTime"],
            meta["compaction"],
            meta["thanos"]["source"],
            [of("numSamples"), of("numSeries"), of("numChunks")]
        ]);
        (key, held)
    });
    made.collect()
}

fn metas(bucket: &Bucket) -> Vec<Value> {
    let mut metas = Vec::new();
    for entry in fs::read_dir(bucket.path()).unwrap() {
        if let Ok(bytes) = fs::read(entry.unwrap().path().join("meta.json")) {
            metas.push(serde_json::from_slice(&bytes).unwrap());
        }
    }
    metas
}

fn resolution(meta: &Value) -> i64 {
    meta["thanos"]["downsample"]["resolution"].as_i64().unwrap()
}

/// The recorded bucket without what was downsampled; and what that was.
fn raw_blocks() -> Option<(Bucket, Made)> {
    let bucket = Bucket::recorded("bucket-compacted")?;
    let recorded = downsampled(&bucket);
    for meta in metas(&bucket).iter().filter(|meta| resolution(meta) > 0) {
        fs::remove_dir_all(bucket.path().join(meta["ulid"].as_str().unwrap())).unwrap();
    }
    Some((bucket, recorded))
}

/// The raw block of this range and replica.
fn raw_block(bucket: &Bucket, replica: &str, hours: i64) -> String {
    let is_it = |meta: &&Value| {
        let range = meta["maxTime"].as_i64().unwrap() - meta["minTime"].as_i64().unwrap();
        meta["thanos"]["labels"]["prometheus_replica"] == replica && range == hours * 3_600_000
    };
    metas(bucket).iter().find(is_it).unwrap()["ulid"].as_str().unwrap().to_owned()
}

#[test]
fn one_run_makes_what_the_original_made() {
    let Some((bucket, recorded)) = raw_blocks() else { return };
    let data = bucket.beside("data");
    let data_dir = format!("--data-dir={}", data.display());
    let before = bucket.snapshot();
    let dry = bucket.run(&["downsample", "--dry-run", &data_dir]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert_eq!(dry.err.matches("would downsample").count(), 4, "{}", dry.err);
    assert_eq!(bucket.snapshot(), before, "a rehearsal changes nothing");

    let run = bucket.run(&["downsample", "--single-run", "--hash-func=SHA256", &data_dir]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(downsampled(&bucket), recorded, "{}", run.err);
    assert!(fs::read_dir(data.join("downsample")).unwrap().next().is_none(), "nothing is left on the disk");
    let verified = bucket.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);

    let before = bucket.snapshot();
    let again = bucket.run(&["downsample", "--single-run", &data_dir]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(bucket.snapshot(), before, "all is done");
}

#[test]
fn a_bad_block_and_a_marked_one_are_left_alone_and_all_others_are_done() {
    let Some((bucket, recorded)) = raw_blocks() else { return };
    let (bad, marked) = (raw_block(&bucket, "a", 72), raw_block(&bucket, "b", 336));
    let index = bucket.path().join(&bad).join("index");
    let mut bytes = fs::read(&index).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0xff;
    fs::write(&index, bytes).unwrap();
    bucket.write(
        &format!("{marked}/no-downsample-mark.json"),
        format!(r#"{{"id":"{marked}","version":1,"no_downsample_time":1,"reason":"manual"}}"#),
    );
    let data_dir = format!("--data-dir={}", bucket.beside("data").display());
    let run = bucket.run(&["downsample", "--single-run", "--downsample.concurrency=2", &data_dir]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("is damaged: index-") && run.err.contains(&bad), "{}", run.err);
    let expected: Made = recorded
        .into_iter()
        .filter(|((labels, _, min_time), held)| {
            let range = held[0].as_i64().unwrap() - min_time;
            let is = |replica: &str, hours: i64| {
                labels.contains(&format!(r#""prometheus_replica":"{replica}""#)) && range == hours * 3_600_000
            };
            !is("a", 72) && !is("b", 336)
        })
        .collect();
    assert_eq!(downsampled(&bucket), expected, "{}", run.err);
}

/// A running service; ends with the test.
struct Service {
    process: Child,
    address: String,
    log: BufReader<ChildStderr>,
}

impl Service {
    fn start(bucket: &Bucket, data_dir: &str) -> Self {
        let config = format!("--objstore.config={}", bucket.config());
        let mut process = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args(["tools", "bucket", "downsample", "--http-address=127.0.0.1:0", "--wait-interval=1h"])
            .args([data_dir, &config])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut service = Service { process, address: String::new(), log };
        let line = service.wait_for("address=");
        let (_, rest) = line.split_once("address=").unwrap();
        service.address = rest.split_whitespace().next().unwrap().to_owned();
        service
    }

    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it ended before {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_service_is_ready_and_counts_what_it_does() {
    let Some((bucket, recorded)) = raw_blocks() else { return };
    let data_dir = format!("--data-dir={}", bucket.beside("data").display());
    let mut service = Service::start(&bucket, &data_dir);
    assert!(service.get("/-/ready").starts_with("HTTP/1.1 200"));
    service.wait_for("start second pass of downsampling");
    for _ in 0..recorded.keys().filter(|(_, resolution, _)| *resolution == 3_600_000).count() {
        service.wait_for("downsampled block");
    }
    assert_eq!(downsampled(&bucket), recorded);
    let metrics = service.get("/metrics");
    for line in [
        "thanos_compact_downsample_total{resolution=\"0\"} 4",
        "thanos_compact_downsample_total{resolution=\"300000\"} 2",
        "thanos_compact_downsample_failures_total{resolution=\"0\"} 0",
        "thanos_compact_downsample_duration_seconds_count{resolution=\"0\"} 4",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}
