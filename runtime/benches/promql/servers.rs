//! The servers that are compared, each a process of its own on the loopback interface.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::data::Set;
use crate::workloads::Query;

/// Makes a folder of blocks a bucket: each block gets its external labels.
fn upload(bucket: &Path, replica: usize) {
    for block in fs::read_dir(bucket).expect("a bucket").flatten() {
        let path = block.path().join("meta.json");
        let text = fs::read_to_string(&path).expect("meta.json");
        let end = text.rfind('}').expect("an object");
        let thanos = format!(
            "\"thanos\": {{\"labels\": {{\"replica\": \"r{replica}\"}}, \"downsample\": {{\"resolution\": 0}}, \"source\": \"sidecar\"}}"
        );
        let text = format!("{},\n{thanos}\n}}\n", text.get(..end).unwrap_or_default().trim_end());
        // Another file in the place of the link.
        fs::remove_file(&path).expect("meta.json is there");
        fs::write(&path, text).expect("meta.json");
    }
}

/// The kernel counts CPU time in hundredths of a second.
const TICKS: f64 = 100.0;
/// A query is asked again until so many of them were used, so that the grain of the clock does not matter, or so often.
const TICKS_MIN: u64 = 25;
const ASKED_MAX: u64 = 50;
/// No query of these may take longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a query took.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    /// By how much the processes grew while they answered.
    pub(crate) grown_bytes: u64,
    /// The most that each process held at once, in the order in which they were started.
    pub(crate) peaks: Vec<(&'static str, u64)>,
}

pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// The processes whose time and memory count; the last one is asked.
    children: Vec<(&'static str, Child)>,
    address: String,
    /// Resident bytes before the first query.
    base_bytes: u64,
    /// What is put behind each query.
    parameters: &'static str,
}

impl Drop for Server {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Server {
    /// This build.
    pub(crate) fn ours(blocks: &Path) -> Server {
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
        command.args(["tools", "tsdb", "serve"]).arg(blocks).arg(format!("--http-address={address}"));
        Server::start("pronoiad", command, address, "/-/ready").expect("pronoiad starts")
    }

    /// A querier, and a store gateway for the blocks of each replica in a bucket of its own.
    pub(crate) fn read_path(name: &'static str, replicas: &[PathBuf], folder: &Path) -> Option<Server> {
        let mut endpoints = Vec::new();
        let mut children = Vec::new();
        for (replica, blocks) in replicas.iter().enumerate() {
            let own = folder.join(format!("{}-{replica}", replicas.len()));
            let bucket = own.join("bucket");
            copy(blocks, &bucket);
            upload(&bucket, replica);
            let (http, grpc) = (free_address(), free_address());
            let objstore = format!("{{type: FILESYSTEM, config: {{directory: '{}'}}}}", bucket.display());
            let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
            command
                .arg("store")
                .arg(format!("--data-dir={}", own.join("data").display()))
                .arg(format!("--objstore.config={objstore}"))
                .args([format!("--http-address={http}"), format!("--grpc-address={grpc}")]);
            let mut store = Server::start("store", command, http, "/-/ready")?;
            children.append(&mut store.children);
            endpoints.push(format!("--endpoint={grpc}"));
        }
        let (http, grpc) = (free_address(), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
        command
            .args(["query", "--query.replica-label=replica"])
            .args([format!("--http-address={http}"), format!("--grpc-address={grpc}")])
            .args(endpoints);
        Server::join(name, children, command, http, "/-/ready")
    }

    /// The same server, asked with these parameters.
    pub(crate) fn asked_with(mut self, parameters: &'static str) -> Server {
        self.parameters = parameters;
        self
    }

    /// Debian's, or whichever is installed.
    pub(crate) fn prometheus(blocks: &Path, folder: &Path) -> Option<Server> {
        let found = Command::new("prometheus").arg("--version").output().is_ok();
        if !found {
            println!("prometheus is not installed");
            return None;
        }
        copy(blocks, folder);
        let config = folder.with_extension("yml");
        fs::write(&config, "global: {}\n").expect("a configuration");
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.display()))
            .args(["--storage.tsdb.retention.time=100y", "--query.max-samples=500000000"])
            .args(["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"])
            .args(["--enable-feature=native-histograms", "--query.timeout=10m"])
            .arg(format!("--web.listen-address={address}"));
        Server::start("prometheus", command, address, "/-/ready")
    }

    /// VictoriaMetrics, found in the path or by `VICTORIA_METRICS`; the samples are imported, not the blocks.
    pub(crate) fn victoria_metrics(sets: &[Set], folder: &Path) -> Option<Server> {
        let program = std::env::var("VICTORIA_METRICS").unwrap_or_else(|_| "victoria-metrics".to_owned());
        let address = free_address();
        let mut command = Command::new(&program);
        command
            .arg(format!("-storageDataPath={}", folder.display()))
            .args(["-retentionPeriod=100y", "-search.disableCache", "-http.connTimeout=24h"])
            .args(["-search.maxUniqueTimeseries=2000000", "-search.maxPointsPerTimeseries=1000000"])
            .args(["-search.maxQueryDuration=10m", "-search.maxSamplesPerQuery=0"])
            .arg(format!("-httpListenAddr={address}"));
        if Command::new(&program).arg("-version").output().is_err() {
            println!("victoria-metrics is not installed");
            return None;
        }
        let mut server = Server::start("victoria-metrics", command, address, "/health")?;
        for set in sets {
            import(set, &server.address);
        }
        server.get("/internal/force_flush")?;
        // Merges of what was just imported must not be counted.
        thread::sleep(Duration::from_secs(10));
        server.base_bytes = server.sum(|pid| status(pid, "VmRSS"));
        Some(server)
    }

    fn start(name: &'static str, command: Command, address: String, ready: &str) -> Option<Server> {
        Server::join(name, Vec::new(), command, address, ready)
    }

    /// Starts another process of a server that has some; this one is asked from now on.
    fn join(
        name: &'static str,
        mut children: Vec<(&'static str, Child)>,
        mut command: Command,
        address: String,
        ready: &str,
    ) -> Option<Server> {
        let own = if children.is_empty() { name } else { "query" };
        children.push((own, command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?));
        let mut server = Server { name, children, address, base_bytes: 0, parameters: "" };
        let begun = Instant::now();
        while server.get(ready).is_none() {
            if begun.elapsed() > PATIENCE || server.children.last_mut()?.1.try_wait().ok()?.is_some() {
                println!("{name} does not come up");
                return None;
            }
            thread::sleep(Duration::from_millis(50));
        }
        server.base_bytes = server.sum(|pid| status(pid, "VmRSS"));
        Some(server)
    }

    /// Asks a query, a short one several times, and reads the answers to their ends; `None` if one is an error.
    pub(crate) fn ask(&mut self, query: &Query) -> Option<Cost> {
        for (_, child) in &self.children {
            // The high water mark starts anew.
            let _ = fs::write(format!("/proc/{}/clear_refs", child.id()), "5");
        }
        let before = self.sum(ticks);
        let (mut asked, mut used) = (0, 0);
        while used < TICKS_MIN && asked < ASKED_MAX {
            self.get(&format!("{}{}", query.path(), self.parameters)).filter(|bytes| *bytes > 0)?;
            asked += 1;
            used = self.sum(ticks) - before;
        }
        let cost = Cost {
            cpu_seconds: used as f64 / TICKS / asked as f64,
            grown_bytes: self.sum(|pid| status(pid, "VmHWM")).saturating_sub(self.base_bytes),
            peaks: self.children.iter().map(|(name, child)| (*name, status(child.id(), "VmHWM"))).collect(),
        };
        Some(cost)
    }

    fn sum(&self, of: impl Fn(u32) -> u64) -> u64 {
        self.children.iter().map(|(_, child)| of(child.id())).sum()
    }

    /// The length of the answer; `None` for anything but 200.
    fn get(&self, path: &str) -> Option<usize> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
        let mut reader = BufReader::with_capacity(1 << 20, stream);
        let mut status = String::new();
        reader.read_line(&mut status).ok()?;
        let mut rest = [0; 1 << 16];
        let mut total = 0;
        loop {
            match reader.read(&mut rest).ok()? {
                0 => break,
                count => total += count,
            }
        }
        status.contains(" 200 ").then_some(total)
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// Copies blocks by hard links: nobody changes them.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::hard_link(entry.path(), target).expect("a link");
        }
    }
}

/// CPU time of a process, user and system, in the kernel's ticks.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    ticks(11) + ticks(12)
}

fn status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Sends a set as lines of JSON, a series each.
fn import(set: &Set, address: &str) {
    for first in (0..set.series).step_by(500) {
        let mut body = String::new();
        for series in first..(first + 500).min(set.series) {
            let _ = write!(body, "{{\"metric\":{{\"__name__\":\"{}\"", set.metric);
            for (name, value) in (set.labels)(series) {
                let _ = write!(body, ",\"{name}\":\"{value}\"");
            }
            let samples: Vec<(i64, f64)> = set.values(series).collect();
            let values: Vec<String> = samples.iter().map(|(_, value)| value.to_string()).collect();
            let times: Vec<String> = samples.iter().map(|(time, _)| time.to_string()).collect();
            let _ =
                writeln!(body, "}},\"values\":[{}],\"timestamps\":[{}]}}", values.join(","), times.join(","));
        }
        let mut stream = TcpStream::connect(address).expect("victoria-metrics");
        let length = body.len();
        write!(stream, "POST /api/v1/import HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .and_then(|()| stream.write_all(body.as_bytes()))
            .expect("victoria-metrics takes samples");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
    }
}
