//! A real Prometheus with blocks on its disk, and a sidecar beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes longer on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first sample of the blocks, seconds: 2024-01-01.
pub(super) const START: i64 = 1_704_067_200;
/// Seconds between samples.
pub(super) const STEP: i64 = 300;
/// Two hours each.
pub(super) const BLOCKS: i64 = 6;
pub(super) const PODS: i64 = 150;

/// The value of the series of a pod at a time.
pub(super) fn value(pod: i64, time: i64) -> f64 {
    (pod * 1_000 + (time - START) / STEP) as f64
}

pub(super) struct Pair {
    pub(super) folder: tempfile::TempDir,
    prometheus: Option<Child>,
    sidecar: Option<Child>,
    pub(super) prometheus_address: String,
    pub(super) http_address: String,
    pub(super) grpc_address: String,
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

impl Pair {
    /// Lays out data and configuration; nothing runs yet.
    pub(super) fn new() -> Pair {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = Pair {
            prometheus: None,
            sidecar: None,
            prometheus_address: free_address(),
            http_address: free_address(),
            grpc_address: free_address(),
            folder,
        };
        for name in ["data/wal", "bucket"] {
            fs::create_dir_all(pair.path(name)).expect("a folder");
        }
        fs::write(pair.path("samples.txt"), samples()).expect("a file");
        let written = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([pair.path("samples.txt"), pair.path("data")])
            .output()
            .expect("promtool starts: apt-get install prometheus");
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        pair.configure("one");
        pair
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration of Prometheus.
    pub(super) fn configure(&self, cluster: &str) {
        let config = format!(
            "global:\n  scrape_interval: 1s\n  external_labels:\n    cluster: {cluster}\n    replica: a\n\
             scrape_configs:\n- job_name: self\n  static_configs:\n  - targets: ['{}']\n\
             rule_files: [{}]\n",
            self.prometheus_address,
            self.path("rules.yml").display()
        );
        fs::write(self.path("prometheus.yml"), config).expect("a configuration");
        let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - record: up:sum\n    expr: sum(up)\n  \
                     - alert: Always\n    expr: vector(1)\n    labels: {severity: page}\n";
        fs::write(self.path("rules.yml"), rules).expect("rules");
    }

    pub(super) fn start_prometheus(&mut self) {
        let log = fs::File::create(self.path("prometheus.log")).expect("a log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", self.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.path("data").display()))
            .args(["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"])
            .args(["--storage.tsdb.retention.time=100y", "--web.enable-lifecycle"])
            .arg(format!("--web.listen-address={}", self.prometheus_address))
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("prometheus starts: apt-get install prometheus");
        self.prometheus = Some(child);
        let address = self.prometheus_address.clone();
        self.until("Prometheus is ready", || status(&address, "/-/ready") == Some(200));
    }

    pub(super) fn kill_prometheus(&mut self) {
        kill(&mut self.prometheus);
    }

    /// Starts the sidecar; with a bucket it ships.
    pub(super) fn start_sidecar(&mut self, bucket: bool) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("sidecar.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
        command
            .args(["sidecar", "--prometheus.get_config_interval=200ms"])
            .arg(format!("--prometheus.url=http://{}", self.prometheus_address))
            .arg(format!("--tsdb.path={}", self.path("data").display()))
            .arg(format!("--http-address={}", self.http_address))
            .arg(format!("--grpc-address={}", self.grpc_address))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"));
        if bucket {
            let directory = self.path("bucket");
            let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", directory.display());
            command.arg(format!("--objstore.config={yaml}"));
        }
        self.sidecar = Some(command.spawn().expect("the sidecar starts"));
    }

    /// `kill -9`.
    pub(super) fn kill_sidecar(&mut self) {
        kill(&mut self.sidecar);
    }

    /// SIGTERM; the exit code.
    pub(super) fn stop_sidecar(&mut self) -> Option<i32> {
        let mut child = self.sidecar.take().expect("it runs");
        let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill starts");
        assert!(killed.success());
        child.wait().expect("it ends").code()
    }

    pub(super) fn ready(&self) -> Option<u16> {
        status(&self.http_address, "/-/ready")
    }

    /// Asks until it is right.
    pub(super) fn until(&self, what: &str, right: impl Fn() -> bool) {
        let begun = Instant::now();
        while !right() {
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "{what}: not within {PATIENCE:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The end of the sidecar's log.
    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(self.path("sidecar.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// All files below a folder, by their path in it.
    pub(super) fn files(&self, folder: &str) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        collect(&self.path(folder), Path::new(""), &mut found);
        found
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        kill(&mut self.sidecar);
        kill(&mut self.prometheus);
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn collect(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
        let path = below.join(entry.file_name());
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => collect(root, &path, found),
            Ok(metadata) => drop(found.insert(path, metadata.len())),
            // It went away meanwhile.
            Err(_) => {}
        }
    }
}

/// The HTTP status of an answer; `None` when nobody answers.
pub(super) fn status(address: &str, path: &str) -> Option<u16> {
    get(address, path).map(|(status, _)| status)
}

/// An answer over HTTP.
pub(super) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Samples of all pods over all blocks, as OpenMetrics. One label set is the beginning of others.
fn samples() -> String {
    let mut text = "# TYPE m gauge\n".to_owned();
    for pod in 0..PODS {
        for time in (START..START + BLOCKS * 7_200).step_by(STEP as usize) {
            let labels =
                if pod == 0 { "app=\"x\"".to_owned() } else { format!("app=\"x\",pod=\"{pod:03}\"") };
            writeln!(text, "m{{{labels}}} {} {time}", value(pod, time)).expect("memory");
        }
    }
    text.push_str("# EOF\n");
    text
}
