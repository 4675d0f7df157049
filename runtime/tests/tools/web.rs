//! `tools bucket web` as browsers and programs meet it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Bucket, METAS, three_blocks};

/// A running viewer; ends with the test.
struct Viewer {
    process: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Viewer {
    fn start(bucket: &Bucket, arguments: &[&str]) -> Self {
        let config = format!("--objstore.config={}", bucket.config());
        let mut process = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args(["tools", "bucket", "web", "--http-address=127.0.0.1:0", &config])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut address = String::new();
        let mut seen = String::new();
        while !seen.contains("read the metadata of the blocks") {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{seen}");
            if let Some((_, rest)) = line.split_once("address=") {
                address = rest.split_whitespace().next().unwrap().to_owned();
            }
            seen.push_str(&line);
        }
        Viewer { process, address, log }
    }

    /// Sends a request; the status, the head and the body of the answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        self.ask("GET", path, "", "")
    }

    fn json(&self, path: &str) -> Value {
        let (status, _, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn mark(&self, form: &str, headers: &str) -> (u16, String) {
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        let (status, _, body) = self.ask("POST", "/api/v1/blocks/mark", &headers, form);
        (status, body)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_page_and_its_api() {
    let bucket = three_blocks();
    bucket.write("01HK153X010000000000000004/index", "no meta.json yet");
    bucket.write("01HK153X010000000000000005/meta.json", "<script>alert(1)</script>");
    let viewer = Viewer::start(&bucket, &["--label=cluster", "--refresh=5m", "--timeout=1m"]);
    let (status, head, page) = viewer.get("/");
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    assert!(page.contains("<script defer src=\"blocks.js\">") && !page.contains("style="), "{page}");
    for (path, kind) in
        [("/blocks.js", "text/javascript"), ("/blocks.css", "text/css"), ("/blocks", "text/html")]
    {
        let (status, head, _) = viewer.get(path);
        assert!(status == 200 && head.contains(&format!("content-type: {kind}")), "{path}: {head}");
    }
    let data = &viewer.json("/api/v1/blocks?view=global")["data"];
    assert_eq!(data["label"], "cluster");
    assert_eq!(data["err"], Value::Null);
    assert!(data["refreshedAt"].as_str().unwrap() > "2024");
    let ids: Vec<&str> =
        data["blocks"].as_array().unwrap().iter().map(|block| block["ulid"].as_str().unwrap()).collect();
    assert_eq!(ids, METAS.map(|meta| meta.id));
    assert_eq!(data["blocks"][0]["thanos"]["labels"]["cluster"], "eu");
    assert_eq!(data["partial"].as_array().unwrap().len(), 2);
    let loaded = viewer.json("/api/v1/blocks?view=loaded");
    assert_eq!(loaded["data"]["blocks"], serde_json::json!([]));
    assert_eq!(viewer.get("/-/ready").2, "OK");
    assert_eq!(viewer.get("/-/healthy").2, "OK");
    let metrics = viewer.get("/metrics").2;
    assert!(metrics.contains("thanos_blocks_meta_synced{state=\"loaded\"} 3"), "{metrics}");
    assert!(metrics.contains("thanos_objstore_bucket_operations_total{"), "{metrics}");
}

#[test]
fn blocks_are_marked_through_the_api_unless_that_is_switched_off() {
    let bucket = three_blocks();
    let [first, second, _] = METAS.map(|meta| meta.id);
    let viewer = Viewer::start(&bucket, &[]);
    for (form, why) in [
        ("action=DELETION".to_owned(), "ID cannot be empty"),
        (format!("id={first}"), "Action cannot be empty"),
        ("id=nope&action=DELETION".to_owned(), "is not valid"),
        (format!("id={first}&action=EXPLODE"), "not supported marker EXPLODE"),
        ("id=01HK153X01000000000000000Z&action=DELETION".to_owned(), "there is no block"),
    ] {
        let (status, body) = viewer.mark(&form, "");
        assert!(status == 400 && body.contains(why), "{form}: {status} {body}");
    }
    for headers in ["Sec-Fetch-Site: cross-site\r\n", "Origin: http://elsewhere.example\r\n"] {
        let (status, body) = viewer.mark(&format!("id={first}&action=DELETION"), headers);
        assert!(status == 400 && body.contains("pages of this service only"), "{status} {body}");
    }
    assert!(!bucket.has(&format!("{first}/deletion-mark.json")));
    assert_eq!(viewer.mark(&format!("id={first}&action=DELETION&detail=too+old"), ""), (204, String::new()));
    assert_eq!(
        viewer.mark(&format!("id={second}&action=NO_COMPACTION"), "Sec-Fetch-Site: same-origin\r\n").0,
        204
    );
    assert_eq!(bucket.json(&format!("{first}/deletion-mark.json"))["details"], "too old");
    assert_eq!(bucket.json(&format!("{second}/no-compact-mark.json"))["reason"], "manual");
    let shown = &viewer.json("/api/v1/blocks?view=global")["data"]["marks"];
    assert_eq!(shown[first][0]["marker"], "deletion-mark.json");
    drop(viewer);
    let locked = Viewer::start(&bucket, &["--disable-admin-operations"]);
    let (status, body) = locked.mark(&format!("id={second}&action=DELETION"), "");
    assert!(status == 400 && body.contains("Admin operations are disabled"), "{body}");
    assert!(!bucket.has(&format!("{second}/deletion-mark.json")));
    assert_eq!(locked.json("/api/v1/blocks?view=global")["data"]["adminOperations"], false);
}

#[test]
fn a_prefix_a_selection_and_an_end_by_signal() {
    let bucket = three_blocks();
    let mut viewer = Viewer::start(
        &bucket,
        &[
            "--web.external-prefix=/bucket",
            "--max-time=2024-01-01T01:00:00Z",
            "--selector.relabel-config=[{action: keep, source_labels: [cluster], regex: eu}]",
        ],
    );
    let (status, head, _) = viewer.get("/");
    assert!(matches!(status, 302 | 303) && head.contains("location: /bucket/"), "{head}");
    assert_eq!(viewer.get("/bucket/").0, 200);
    assert_eq!(viewer.get("/bucket/blocks.js").0, 200);
    assert_eq!(
        viewer.json("/bucket/api/v1/blocks?view=global")["data"]["blocks"].as_array().unwrap().len(),
        2
    );
    let kill = Command::new("kill").args(["-TERM", &viewer.process.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(viewer.process.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    viewer.log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("caught signal, exiting"), "{rest}");
}
