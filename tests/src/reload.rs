//! A Prometheus and a reloader beside it, as real processes, with the folders between them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program;

/// Nothing here takes longer on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// The configuration that every pair begins with; `GENERATION` is replaced.
pub const CONFIG: &str = "\
global:
  scrape_interval: 5s
  external_labels:
    replica: $(REPLICA)
    generation: \"GENERATION\"
rule_files: [rules/*.yml]
scrape_configs:
- job_name: self
  static_configs:
  - targets: [127.0.0.1:9090]
  relabel_configs:
  - source_labels: [__address__]
    regex: (.*):\\d+
    target_label: host
    replacement: ${1}
";

/// Rules to begin with; `GENERATION` is replaced.
pub const RULES: &str = "\
groups:
- name: generation
  rules:
  - record: generation:up
    expr: sum by (job) (up) + GENERATION
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} is down'}
";

/// A Prometheus and its reloader.
#[derive(Debug)]
pub struct Pair {
    folder: tempfile::TempDir,
    prometheus: Option<Child>,
    reloader: Option<Child>,
    port: u16,
    reloader_port: u16,
    generation: u32,
    extra: Vec<String>,
    program: Option<PathBuf>,
}

/// A port below those that the kernel gives to outgoing connections: it stays free while a program is away.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap_or(0) * 2;
    (0..2_000)
        .map(|_| start + TRIED.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

impl Pair {
    /// Lays out the folders; nothing runs yet. `extra` are flags of the reloader.
    pub fn new(extra: &[&str]) -> Pair {
        let mut pair = Pair {
            folder: tempfile::tempdir().expect("a temporary folder"),
            prometheus: None,
            reloader: None,
            port: free_port(),
            reloader_port: free_port(),
            generation: 0,
            extra: extra.iter().map(ToString::to_string).collect(),
            program: None,
        };
        for folder in ["in/config", "in/rules", "out", "data"] {
            fs::create_dir_all(pair.path(folder)).expect("a folder");
        }
        pair.swap("in/config", &[("prometheus.yml", &CONFIG.replace("GENERATION", "0"))]);
        pair.swap("in/rules", &[("rules.yml", &RULES.replace("GENERATION", "0"))]);
        pair
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the files of a folder as Kubernetes replaces those of a mounted ConfigMap.
    pub fn swap(&mut self, folder: &str, files: &[(&str, &str)]) {
        self.generation += 1;
        let root = self.path(folder);
        let new = format!("..2026_11_22_{:06}", self.generation);
        fs::create_dir(root.join(&new)).expect("a generation");
        for (name, text) in files {
            fs::write(root.join(&new).join(name), text).expect("a file");
        }
        let old = fs::read_link(root.join("..data")).ok();
        symlink(&new, root.join("..data_tmp")).expect("a link");
        fs::rename(root.join("..data_tmp"), root.join("..data")).expect("the swap");
        for (name, _) in files {
            let visible = root.join(name);
            if !visible.exists() {
                symlink(Path::new("..data").join(name), visible).expect("a link");
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(root.join(old)).expect("the old generation");
        }
    }

    /// The configuration file as Prometheus reads it.
    pub fn output(&self) -> PathBuf {
        self.path("out/prometheus.yml")
    }

    fn reloader_command(&self) -> Command {
        let mut command = Command::new(program::pronoiad());
        command
            .arg("reloader")
            .arg(format!("--http-address=127.0.0.1:{}", self.reloader_port))
            .arg(format!("--prometheus.url=http://127.0.0.1:{}", self.port))
            .args(["--reloader.config-file=in/config/prometheus.yml"])
            .args(["--reloader.config-envsubst-file=out/prometheus.yml"])
            .args(["--reloader.rule-dir=in/rules", "--reloader.rule-output-dir=out/rules"])
            .args(["--reloader.retry-interval=1s", "--log.format=json"])
            .args(&self.extra)
            .current_dir(self.folder.path())
            .env("REPLICA", "r0")
            .stdin(Stdio::null());
        command
    }

    /// Runs the reloader once, as an init container does.
    pub fn once(&self) -> String {
        program::succeed(self.reloader_command().arg("--once"))
    }

    /// Starts the reloader; its log goes to `reloader.log`.
    pub fn start_reloader(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("reloader.log"));
        self.reloader =
            Some(self.reloader_command().stderr(log.expect("a log")).spawn().expect("the reloader starts"));
    }

    /// Lets Prometheus run under another name.
    pub fn rename_prometheus(&mut self, name: &str) {
        let link = self.path(name);
        symlink(program::found("prometheus", "prometheus"), &link).expect("a link");
        self.program = Some(link);
    }

    /// Starts Prometheus and waits until it is ready.
    pub fn start_prometheus(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("prometheus.log"));
        let mut command = program::debian("prometheus", "prometheus");
        if let Some(program) = &self.program {
            command = Command::new(program);
        }
        let child = command
            .args(["--config.file=out/prometheus.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle"])
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("prometheus starts");
        self.prometheus = Some(child);
        let begun = Instant::now();
        while self.get(self.port, "/-/ready").is_none() {
            let ended = self.prometheus.as_mut().and_then(|child| child.try_wait().expect("a child"));
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "Prometheus does not come up:\n{}",
                self.logs()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The last lines of both logs.
    pub fn logs(&self) -> String {
        ["prometheus.log", "reloader.log"]
            .map(|name| {
                let text = fs::read_to_string(self.path(name)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().rev().take(12).collect();
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            })
            .join("\n---\n")
    }

    /// `kill -9`.
    pub fn kill_prometheus(&mut self) {
        kill(&mut self.prometheus);
    }

    /// `kill -9`.
    pub fn kill_reloader(&mut self) {
        kill(&mut self.reloader);
    }

    /// The process id of the reloader.
    pub fn reloader_pid(&self) -> u32 {
        self.reloader.as_ref().map_or(0, Child::id)
    }

    fn get(&self, port: u16, path: &str) -> Option<String> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build().into();
        agent.get(format!("http://127.0.0.1:{port}{path}")).call().ok()?.body_mut().read_to_string().ok()
    }

    /// What Prometheus says.
    pub fn prometheus(&self, path: &str) -> String {
        self.get(self.port, path).unwrap_or_default()
    }

    /// The reloader's metrics.
    pub fn metrics(&self) -> String {
        self.get(self.reloader_port, "/metrics").unwrap_or_default()
    }

    /// What the reloader says of itself.
    pub fn status(&self) -> Value {
        let text = self.get(self.reloader_port, "/api/v1/status/reloader").unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value["data"].clone()
    }

    /// The state that the reloader is in.
    pub fn state(&self) -> String {
        self.status()["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Asks until the answer is right.
    pub fn until(&self, what: &str, right: impl Fn(&Pair) -> bool) {
        let begun = Instant::now();
        while !right(self) {
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "{what}: not within {PATIENCE:?}: {}\n{}", self.status(), self.logs());
            thread::sleep(Duration::from_millis(3));
        }
    }

    /// Waits until the reloader is in a state.
    pub fn until_in(&self, state: &str) {
        self.until(state, |pair| pair.state() == state);
    }

    /// Waits until Prometheus has this text in its configuration or its rules.
    pub fn until_loaded(&self, text: &str) -> Duration {
        let begun = Instant::now();
        let has = || {
            self.prometheus("/api/v1/rules").contains(text)
                || self.prometheus("/api/v1/status/config").contains(text)
        };
        while !has() {
            assert!(
                begun.elapsed() < PATIENCE,
                "Prometheus never loaded {text:?}: {}\n{}",
                self.status(),
                self.logs()
            );
            thread::sleep(Duration::from_millis(3));
        }
        begun.elapsed()
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.kill_reloader();
        self.kill_prometheus();
    }
}
