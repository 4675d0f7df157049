//! The read path as real processes: two Prometheus servers, their sidecars, a store gateway, a querier; and another Prometheus
//! that receives every sample of both and so knows what is true.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;

use crate::program;
use crate::up::send;

/// Nothing here takes longer on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds since the epoch.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A program that runs, and ends with the test.
#[derive(Debug)]
pub struct Running {
    name: String,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Running {
    /// Starts a program whose output goes to `NAME.log` in the folder.
    pub fn start(name: &str, command: Command, folder: &Path) -> Running {
        let log = folder.join(format!("{name}.log"));
        let mut running = Running { name: name.to_string(), command, log, child: None };
        running.again();
        running
    }

    /// Starts it again with the same arguments.
    pub fn again(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let errors = log.try_clone().expect("a log");
        let child = self.command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// Sends a signal and waits until it is gone.
    pub fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        send(child.id(), signal);
        let begun = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "{} does not end:\n{}", self.name, self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends a signal and goes on.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            send(child.id(), signal);
        }
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The most memory that it ever held, bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = self.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// Everything that it said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it said.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Something to scrape: counters, a histogram and a gauge that move with time.
#[derive(Debug)]
pub struct Exporter {
    /// Where it listens.
    pub port: u16,
    stop: Arc<AtomicBool>,
}

impl Exporter {
    /// Starts to listen.
    pub fn start() -> Exporter {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let _ = answer(connection);
            }
        });
        Exporter { port, stop }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = [0; 4096];
    let _ = connection.read(&mut request)?;
    let time = now();
    let mut body = String::new();
    for pod in 0..8u32 {
        // Every process starts anew now and then. No counter is near zero, and what it counts before it starts anew is more
        // than 1.1 times what it counts after: otherwise older releases extrapolate to the begin of a window in another way.
        let age = 500.0 + (time + f64::from(pod) * 17.0) % 97.0;
        let code = if pod % 2 == 0 { "200" } else { "500" };
        body += &format!(
            "test_requests_total{{pod=\"p{pod}\",code=\"{code}\"}} {}\n",
            (age * f64::from(pod + 1) * 3.0).floor()
        );
        body += &format!("test_temperature{{pod=\"p{pod}\"}} {:.6}\n", (time / 7.0 + f64::from(pod)).sin());
        for (bound, share) in [("0.1", 0.5), ("0.5", 0.8), ("1", 0.95), ("+Inf", 1.0)] {
            body += &format!(
                "test_duration_seconds_bucket{{pod=\"p{pod}\",le=\"{bound}\"}} {}\n",
                (age * 10.0 * share).floor()
            );
        }
        body += &format!("test_duration_seconds_count{{pod=\"p{pod}\"}} {}\n", (age * 10.0).floor());
    }
    // A series that comes and goes.
    if ((time / 20.0) as u64).is_multiple_of(2) {
        body += "test_sometimes 1\n";
    }
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The whole path.
#[derive(Debug)]
pub struct ReadPath {
    folder: tempfile::TempDir,
    /// What is scraped.
    pub exporter: Exporter,
    /// All processes, by name: `reference`, `prometheus-0`, `sidecar-0`, …, `store`, `query`.
    pub processes: BTreeMap<String, Running>,
    http: BTreeMap<String, u16>,
    grpc: BTreeMap<String, u16>,
}

/// How long a block is; Prometheus wants a half more before it cuts one.
pub const BLOCK: &str = "20s";

impl ReadPath {
    /// Starts everything and waits until all is ready.
    pub fn start() -> ReadPath {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let exporter = Exporter::start();
        let mut path = ReadPath {
            folder,
            exporter,
            processes: BTreeMap::new(),
            http: BTreeMap::new(),
            grpc: BTreeMap::new(),
        };
        fs::create_dir_all(path.path("bucket")).expect("a bucket");
        let objstore = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", path.path("bucket").display());
        fs::write(path.path("objstore.yml"), objstore).expect("a configuration");
        path.seed();
        path.reference();
        let mut endpoints = Vec::new();
        for replica in 0..2 {
            path.prometheus(replica);
            endpoints.push(path.sidecar(replica));
        }
        endpoints.push(path.store());
        path.query(&endpoints);
        path
    }

    /// A path in the folder of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a process serves HTTP.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.http[name])
    }

    /// Where a process serves gRPC.
    pub fn grpc_url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.grpc[name])
    }

    fn launch(&mut self, name: &str, port: u16, command: Command) {
        self.http.insert(name.to_string(), port);
        let running = Running::start(name, command, self.folder.path());
        self.processes.insert(name.to_string(), running);
        self.ready(name);
    }

    /// Waits until a process is ready.
    pub fn ready(&mut self, name: &str) {
        let begun = Instant::now();
        let url = format!("{}/-/ready", self.url(name));
        while ureq::get(&url).call().is_err() {
            let running = self.processes.get_mut(name).expect("a process");
            let alive = running.runs();
            assert!(alive && begun.elapsed() < PATIENCE, "{name} is not ready:\n{}", running.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn server(&self, name: &str, port: u16, config: &str) -> Command {
        let file = self.path(&format!("{name}.yml"));
        fs::write(&file, config).expect("a configuration");
        let mut command = program::debian("prometheus", "prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", self.path(name).display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.retention.time=1d");
        command
    }

    /// Puts a block of yesterday into the bucket, of a replica that is no more.
    fn seed(&self) {
        let yesterday = (now() as i64 / 7200 - 12) * 7200;
        let mut text = String::from("# TYPE seed_orders counter\n");
        for pod in 0..20 {
            for at in (0..3600).step_by(30) {
                text +=
                    &format!("seed_orders_total{{pod=\"p{pod}\"}} {} {}\n", at * (pod + 1), yesterday + at);
            }
        }
        text += "# EOF\n";
        fs::write(self.path("seed.txt"), text).expect("a history");
        let tools = |words: &[&str]| {
            let mut command = Command::new(program::pronoiad());
            program::succeed(command.arg("tools").args(words).current_dir(self.folder.path()))
        };
        tools(&["tsdb", "create-blocks-from", "openmetrics", "seed.txt", "seed"]);
        let labels = ["--label=cluster=\"eu\"", "--label=replica=\"yesterday\""];
        let upload = ["bucket", "upload-blocks", "--path=seed", "--objstore.config-file=objstore.yml"];
        tools(&[&upload[..], &labels[..]].concat());
    }

    fn reference(&mut self) {
        let port = free_port();
        let mut command = self.server("reference", port, "global: {}\n");
        command.arg("--web.enable-remote-write-receiver");
        self.launch("reference", port, command);
    }

    fn prometheus(&mut self, replica: u16) {
        let (name, port) = (format!("prometheus-{replica}"), free_port());
        let config = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  external_labels: {{cluster: eu, replica: r{replica}}}\n\
             remote_write:\n- url: {}/api/v1/write\n  queue_config: {{batch_send_deadline: 50ms, max_shards: 1}}\n\
             scrape_configs:\n- job_name: test\n  static_configs:\n  - targets: ['127.0.0.1:{}']\n",
            self.url("reference"),
            self.exporter.port
        );
        let mut command = self.server(&name, port, &config);
        command
            .arg(format!("--storage.tsdb.min-block-duration={BLOCK}"))
            .arg(format!("--storage.tsdb.max-block-duration={BLOCK}"));
        self.launch(&name, port, command);
    }

    fn component(&self, component: &str, http: u16, grpc: u16) -> Command {
        let mut command = Command::new(program::pronoiad());
        command
            .arg(component)
            .arg(format!("--http-address=127.0.0.1:{http}"))
            .arg(format!("--grpc-address=127.0.0.1:{grpc}"))
            .arg("--http-grace-period=1s")
            .arg("--grpc-grace-period=1s");
        command
    }

    fn sidecar(&mut self, replica: u16) -> u16 {
        let (http, grpc) = (free_port(), free_port());
        let prometheus = format!("prometheus-{replica}");
        let mut command = self.component("sidecar", http, grpc);
        command
            .arg(format!("--prometheus.url={}", self.url(&prometheus)))
            .arg("--prometheus.get_config_interval=1s")
            .arg(format!("--tsdb.path={}", self.path(&prometheus).display()))
            .arg(format!("--objstore.config-file={}", self.path("objstore.yml").display()));
        self.grpc.insert(format!("sidecar-{replica}"), grpc);
        self.launch(&format!("sidecar-{replica}"), http, command);
        grpc
    }

    fn store(&mut self) -> u16 {
        let (http, grpc) = (free_port(), free_port());
        let mut command = self.component("store", http, grpc);
        command
            .arg("--sync-block-duration=3s")
            .arg(format!("--data-dir={}", self.path("store-data").display()))
            .arg(format!("--objstore.config-file={}", self.path("objstore.yml").display()));
        self.grpc.insert("store".to_string(), grpc);
        self.launch("store", http, command);
        grpc
    }

    fn query(&mut self, endpoints: &[u16]) {
        let (http, grpc) = (free_port(), free_port());
        let mut command = self.component("query", http, grpc);
        command.arg("--query.replica-label=replica");
        command.args(endpoints.iter().map(|port| format!("--endpoint=127.0.0.1:{port}")));
        self.grpc.insert("query".to_string(), grpc);
        self.launch("query", http, command);
    }

    /// The answer of a process' API, whatever its status.
    pub fn ask(&self, name: &str, path: &str, parameters: &[(&str, &str)]) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let request = agent.get(format!("{}/api/v1/{path}", self.url(name)));
        let request = request.query_pairs(parameters.iter().copied());
        let text = request.call().and_then(|answer| answer.into_body().read_to_string());
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Complete blocks that the sidecars have uploaded, by the replica they come from: first and last time, milliseconds.
    pub fn uploaded(&self) -> Vec<(String, i64, i64)> {
        let mut found = Vec::new();
        for block in fs::read_dir(self.path("bucket")).expect("the bucket").flatten() {
            let Ok(meta) = fs::read(block.path().join("meta.json")) else { continue };
            let meta: Value = serde_json::from_slice(&meta).expect("meta.json is whole");
            let replica = meta["thanos"]["labels"]["replica"].as_str().expect("a replica").to_string();
            if replica == "yesterday" {
                continue;
            }
            let time = |name: &str| meta[name].as_i64().expect("a time");
            found.push((replica, time("minTime"), time("maxTime")));
        }
        found.sort();
        found
    }
}
