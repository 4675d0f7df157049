//! A compactor that stays: what it says of itself, and several on one bucket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{blocks, filled};
use crate::tools::Bucket;
use crate::tools::generated::flip;

struct Service {
    process: Child,
    address: String,
    /// Kept open: a process that cannot write its log would end.
    _log: std::thread::JoinHandle<()>,
}

impl Service {
    fn start(bucket: &Bucket, data: &str) -> Self {
        let (config, data) = (
            format!("--objstore.config={}", bucket.config()),
            format!("--data-dir={}", bucket.beside(data).display()),
        );
        let mut process = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args(["compact", "--wait", "--wait-interval=1s", "--consistency-delay=0s"])
            .args([
                "--http-address=127.0.0.1:0",
                "--block-viewer.global.sync-block-interval=1s",
                &config,
                &data,
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{seen}");
            if let Some((_, rest)) = line.split_once("address=") {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
            seen.push_str(&line);
        };
        let log = std::thread::spawn(move || drop(std::io::copy(&mut log, &mut std::io::sink())));
        Service { process, address, _log: log }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).1).unwrap()
    }

    fn stop(&mut self) -> Option<i32> {
        let stopped = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(stopped.success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} within a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn it_says_how_it_is_and_which_block_is_wrong() {
    let (bucket, ids) = filled(5);
    flip(&bucket.path().join(&ids[2]).join("chunks/000001"), 60);
    let mut service = Service::start(&bucket, "data");
    wait_for("the compactor is ready", || service.get("/-/ready").0 == 200);
    wait_for("the damaged block is named", || {
        let health = service.json("/api/v1/doctor");
        let blocks = health["data"]["blocks"].as_array().cloned().unwrap_or_default();
        blocks.iter().any(|block| block["block"] == ids[2].as_str() && block["code"] == "chunk-checksum")
    });
    let health = service.json("/api/v1/doctor");
    assert_eq!(health["data"]["healthy"], false);
    let named = &health["data"]["blocks"][0];
    assert!(named["run"][0].as_str().is_some_and(|command| command.contains(ids[2].as_str())), "{named}");
    wait_for("the page shows all blocks", || {
        let shown = service.json("/api/v1/blocks?view=global");
        shown["data"]["blocks"].as_array().is_some_and(|blocks| blocks.len() >= 5)
    });
    let loaded = service.json("/api/v1/blocks?view=loaded");
    assert!(loaded["data"]["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()), "{loaded}");
    let (_, metrics) = service.get("/metrics");
    for line in
        ["thanos_compact_halted 0", "thanos_compact_todo_compactions ", "thanos_delete_delay_seconds 172800"]
    {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{line}\n{metrics}");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn two_share_a_bucket_and_do_everything_once() {
    let (bucket, _) = filled(13);
    let (mut one, mut other) = (Service::start(&bucket, "one"), Service::start(&bucket, "other"));
    let samples = |blocks: &[(String, i64, i64, i64, i64)]| blocks.iter().map(|block| block.4).sum::<i64>();
    wait_for("all is compacted", || {
        let blocks = blocks(&bucket);
        blocks.iter().map(|block| (block.1, block.2)).eq([(0, 8), (8, 16), (16, 24), (24, 26)])
    });
    assert_eq!(samples(&blocks(&bucket)), 13 * 4800);
    assert_eq!((one.stop(), other.stop()), (Some(0), Some(0)));
}
