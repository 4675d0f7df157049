//! Recorded queries through a real querier over two store gateways: the blocks of one Prometheus are divided between them as two
//! replicas, of which some are in both. The answers are those of one server that has all blocks.
//!
//! `PRONOIA_QUERIES` is the number of queries, 100 when it is not set. With more than were recorded, times are moved.
#![expect(clippy::print_stderr, reason = "says how much was compared")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::program;
use tests::read_path::{Running, free_port};
use tests::up::within;

/// Which of the five blocks each store has, and one store that has all of them.
const STORES: [&[usize]; 3] = [&[0, 1, 3], &[1, 2, 3, 4], &[0, 1, 2, 3, 4]];
/// The times of queries that are asked again are moved by so many seconds.
const SHIFT: i64 = 1117;
/// Their counters are read without resets, as Thanos' querier does: an engine over blocks extrapolates otherwise behind a reset.
const COUNTERS: [&str; 2] = ["rate(", "increase("];

struct Servers {
    folder: tempfile::TempDir,
    running: Vec<Running>,
}

impl Servers {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts one of our programs; where it answers, and where it answers gRPC.
    fn start(
        &mut self,
        name: &str,
        words: &[&str],
        arguments: &[String],
        speaks_grpc: bool,
    ) -> (String, u16) {
        let (http, grpc) = (free_port(), free_port());
        let mut command = Command::new(program::pronoiad());
        command.args(words).arg(format!("--http-address=127.0.0.1:{http}")).args(arguments);
        if speaks_grpc {
            command.arg(format!("--grpc-address=127.0.0.1:{grpc}"));
        }
        self.running.push(Running::start(name, command, self.folder.path()));
        let url = format!("http://127.0.0.1:{http}");
        within(Duration::from_secs(60), "a server is ready", || {
            ureq::get(&format!("{url}/-/ready")).call().is_ok()
        });
        (url, grpc)
    }

    /// A store gateway over some blocks of a replica.
    fn store(&mut self, number: usize, fixtures: &Path, blocks: &[String]) -> u16 {
        let bucket = self.path(&format!("bucket-{number}"));
        for block in blocks {
            let (from, to) = (fixtures.join("bucket-raw").join(block), bucket.join(block));
            fs::create_dir_all(to.join("chunks")).expect("a folder");
            for file in fs::read_dir(from.join("chunks")).expect("chunks").flatten() {
                fs::copy(file.path(), to.join("chunks").join(file.file_name())).expect("a copy");
            }
            fs::copy(from.join("index"), to.join("index")).expect("a copy");
            let meta = fs::read(from.join("meta.json")).expect("meta.json");
            let mut meta: Value = serde_json::from_slice(&meta).expect("JSON");
            meta["thanos"]["labels"] = serde_json::json!({ "replica": format!("r{number}") });
            fs::write(to.join("meta.json"), meta.to_string()).expect("meta.json");
        }
        let objstore = format!("{{type: FILESYSTEM, config: {{directory: '{}'}}}}", bucket.display());
        let data = self.path(&format!("data-{number}"));
        let arguments = [format!("--data-dir={}", data.display()), format!("--objstore.config={objstore}")];
        self.start(&format!("store-{number}"), &["store"], &arguments, true).1
    }

    fn query(&mut self, name: &str, stores: &[u16]) -> String {
        let mut arguments = vec!["--query.replica-label=replica".to_owned()];
        arguments.extend(stores.iter().map(|port| format!("--endpoint=127.0.0.1:{port}")));
        self.start(name, &["query"], &arguments, true).0
    }
}

/// Queries that were answered: path and parameters.
fn recorded(folder: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("recordings").flatten().map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).expect("a recording"));
    let lines: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|line| line["features"] == "default" && line["http_status"] == 200)
        .filter_map(|line| {
            let path = line["endpoint"].as_str().filter(|path| path.starts_with("/api/v1/query"))?;
            Some((path.to_owned(), line.clone()))
        })
        .collect()
}

/// What an API answers: its data, or `None` for a refusal.
fn ask(url: &str, path: &str, line: &Value, shift: i64) -> Option<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut request =
        agent.get(format!("{url}{path}")).query("query", line["query"].as_str().expect("a query"));
    for name in ["time", "start", "end"] {
        if let Some(seconds) = line[name].as_f64() {
            request = request.query(name, format!("{:.3}", seconds + shift as f64));
        }
    }
    if !line["step"].is_null() {
        request = request.query("step", line["step"].to_string());
    }
    let text = request.call().and_then(|answer| answer.into_body().read_to_string()).expect("an answer");
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    (answer["status"] == "success").then(|| answer["data"]["result"].clone())
}

#[test]
fn blocks_divided_between_stores_are_answered_as_one() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded queries were not asked");
        return;
    };
    let fixtures = Path::new(&shared).join("fixtures");
    let list = fs::read_to_string(fixtures.join("promql/BLOCKS.txt")).expect("the list of blocks");
    let blocks: Vec<String> = list.lines().map(str::to_owned).collect();
    let mut servers = Servers { folder: tempfile::tempdir().expect("a folder"), running: Vec::new() };
    let stores: Vec<u16> = (STORES.iter().enumerate())
        .map(|(number, has)| {
            let has: Vec<String> = has.iter().map(|block| blocks[*block].clone()).collect();
            servers.store(number, &fixtures, &has)
        })
        .collect();
    let divided = servers.query("query-divided", &stores[..2]);
    let whole = servers.query("query-whole", &stores[2..]);
    let merged = servers.path("merged");
    fs::create_dir_all(&merged).expect("a folder");
    for block in &blocks {
        std::os::unix::fs::symlink(fixtures.join("bucket-raw").join(block), merged.join(block))
            .expect("a link");
    }
    let engine =
        servers.start("engine", &["tools", "tsdb", "serve"], &[merged.display().to_string()], false).0;

    let lines = recorded(&fixtures.join("promql"));
    let many: usize = std::env::var("PRONOIA_QUERIES").map_or(100, |text| text.parse().expect("a number"));
    let (mut filled, mut wrong) = (0, Vec::new());
    for number in 0..many {
        // Few queries are of all kinds.
        let place = if many < lines.len() { number * lines.len() / many } else { number };
        let (path, line) = &lines[place % lines.len()];
        let shift = (place / lines.len()) as i64 * SHIFT;
        let query = line["query"].as_str().expect("a query");
        let reference = if COUNTERS.iter().any(|name| query.contains(name)) { &whole } else { &engine };
        let (found, wanted) = (ask(&divided, path, line, shift), ask(reference, path, line, shift));
        filled += usize::from(wanted.as_ref().is_some_and(|wanted| *wanted != Value::Array(Vec::new())));
        if found != wanted {
            wrong.push(format!("{} moved by {shift} s: {query}\n    {found:?}\n    {wanted:?}", line["id"]));
        }
    }
    eprintln!("{many} queries over divided blocks: {} equal, {filled} with an answer", many - wrong.len());
    assert!(filled * 2 > many, "only {filled} answers of {many} hold anything");
    assert!(wrong.is_empty(), "{} of {many}:\n{}", wrong.len(), wrong.join("\n"));
}
