//! Debian's Prometheus starts with what was rendered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Files, QUICKSTART, args, files, plan, process, text, write};

/// The quickstart for a version: Debian has 2.42.
fn quickstart(version: &str) -> Files {
    let head = "topology quickstart {\n";
    files(&QUICKSTART.replace(head, &format!("{head}    target prometheus=\"{version}\"\n")))
}

#[allow(clippy::print_stderr, reason = "a test that looked at less than it could must say so")]
fn is_missing(program: &str) -> bool {
    let missing = Command::new(program).arg("--version").output().is_err();
    if missing {
        eprintln!("{program} is not installed: what it says about the files was not compared");
    }
    missing
}

/// Removes `storage.tsdb.retention`, which 2.42 does not know; it must be there to be removed.
fn without_retention(text: &str) -> String {
    let (before, from) = text.split_once("    retention:\n").expect("retention is in the file");
    let rest: Vec<&str> = from.split_inclusive('\n').skip_while(|line| line.starts_with("      ")).collect();
    let before = match rest.is_empty() {
        true => before.trim_end_matches("storage:\n  tsdb:\n"),
        false => before,
    };
    format!("{before}{}", rest.concat())
}

#[test]
fn promtool_reads_every_file() {
    if is_missing("promtool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    for (version, newest) in [("2.42.0", false), ("3.12.0", true)] {
        let mut files = quickstart(version);
        for (path, text) in files.iter_mut().filter(|(path, _)| path.starts_with("prometheus/")) {
            if newest {
                *text = without_retention(text);
            }
            assert!(path.ends_with(".yml"));
        }
        let folder = folder.path().join(version);
        write(&files, &folder);
        for path in files.keys().filter(|path| path.starts_with("prometheus/")) {
            let output = Command::new("promtool").args(["check", "config"]).arg(folder.join(path)).output();
            let output = output.expect("promtool runs");
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&said));
            count += 1;
        }
    }
    assert_eq!(count, 4);
}

/// Ends the process when the test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().next()?.contains(" 200 ").then_some(answer)
}

/// A port that was free a moment ago: what runs on this machine must not break the test.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn start(folder: &Path, files: &Files, name: &str, port: u16) -> Running {
    let plan = plan(files, "");
    let process = process(&plan, name);
    let (config, data) = (folder.join("config"), folder.join("data"));
    write(files, &config);
    std::fs::create_dir_all(&data).expect("a folder");
    let loaded = data.join("loaded").join(name);
    let as_loaded = |path: &str| match path.strip_prefix("prometheus/") {
        Some(file) => (file == format!("{name}.yml")).then(|| "prometheus/prometheus.yml".to_string()),
        None => path.starts_with("rules/").then(|| path.to_string()),
    };
    let copied = files.iter().filter_map(|(path, text)| Some((as_loaded(path)?, text.clone())));
    write(&copied.collect(), &loaded);
    let planned = format!("127.0.0.1:{}", process["ports"]["http"]);
    let put_in = |text: &str| {
        text.replace("$(CONFIG_DIR)", config.to_str().expect("UTF-8"))
            .replace("$(DATA_DIR)", data.to_str().expect("UTF-8"))
            .replace("$$", "$")
    };
    let args =
        args(process).into_iter().map(|arg| put_in(arg).replace(&planned, &format!("127.0.0.1:{port}")));
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let child = Command::new(text(process, "program"))
        .args(args)
        .current_dir(put_in(text(process, "working_dir")))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Running(child.expect("prometheus starts"))
}

#[test]
fn prometheus_starts_and_knows_who_it_is() {
    if is_missing("prometheus") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut running = start(folder.path(), &quickstart("2.42.0"), "quickstart-prometheus-1", port);
    let until = Instant::now() + Duration::from_secs(60);
    while get(port, "/-/ready").is_none() {
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(running.0.try_wait().expect("a status").is_none(), "it ended: {}", log());
        assert!(Instant::now() < until, "it is not ready: {}", log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let config = get(port, "/api/v1/status/config").expect("the configuration");
    assert!(config.contains("prometheus_replica: quickstart-prometheus-1"), "{config}");
    assert!(folder.path().join("data/quickstart-prometheus-1/wal").is_dir());
}
