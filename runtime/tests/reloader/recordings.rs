//! `--reloader.compat` against recordings of Thanos' own reloader: output, exit code, log lines and metrics.
//!
//! The recordings are not part of the repository: `PRONOIA_SHARED` names a folder that has them in
//! `fixtures/wire/reloader/`. What they show is also in the unit tests of the reloader, case by case.
#![expect(clippy::print_stderr, reason = "a suite that is left out says so")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Metrics that depend on the moment or on the kernel's way of telling one write.
const OF_THE_MOMENT: [&str; 2] = [
    "thanos_sidecar_reloader_last_reload_success_timestamp_seconds",
    "thanos_sidecar_reloader_watch_events_total",
];

struct Case {
    name: String,
    recorded: PathBuf,
    result: Value,
    folder: TempDir,
    /// Name of the input file.
    input: &'static str,
}

impl Case {
    /// Lays out the input. All are laid out before anything is started: a program that is being started holds files that
    /// are open at that moment, and closing them late looks like a change.
    fn new(name: String, recorded: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(&name);
        fs::create_dir(&place).unwrap();
        let packed = recorded.join("input.gz");
        let (from, input) = if packed.exists() {
            (packed, "input.yml.gz")
        } else {
            (recorded.join("input.yml"), "input.yml")
        };
        if from.exists() {
            fs::copy(&from, place.join(input)).unwrap();
        }
        Self { name, result: json(&recorded.join("result.json")), recorded, folder, input }
    }
}

#[test]
fn recordings_are_reproduced() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so the reloader was not compared with recordings");
        return;
    };
    let root = Path::new(&shared).join("fixtures/wire/reloader");
    let environment: Value = json(&root.join("environment.json"));
    let variables: BTreeMap<String, String> = environment["environment"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let mut cases: Vec<Case> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| Case::new(entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() >= 25, "only {} recordings", cases.len());
    // All at once: each takes the 13 seconds that the recording took.
    let problems: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> =
            cases.iter().map(|case| scope.spawn(|| (&case.name, replay(case, &variables)))).collect();
        running
            .into_iter()
            .map(|case| case.join().expect("a case ran"))
            .flat_map(|(name, problems)| {
                problems.into_iter().map(move |problem| format!("{name}: {problem}"))
            })
            .collect()
    });
    assert!(
        problems.is_empty(),
        "{} of {} recordings differ:\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n")
    );
    eprintln!("{0} of {0} recordings reproduced", cases.len());
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A Prometheus that is content with everything.
fn content_peer() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while let Ok(count) = stream.read(&mut part) {
        if count == 0 {
            return;
        }
        request.extend_from_slice(&part[..count]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

fn replay(case: &Case, variables: &BTreeMap<String, String>) -> Vec<String> {
    let (place, input) = (case.folder.path().join(&case.name), case.input);
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
        .args(["reloader", "--reloader.compat", "--http-address=127.0.0.1:0"])
        .arg(format!("--prometheus.url=http://{}", content_peer()))
        .arg(format!("--reloader.config-file={}/{input}", case.name))
        .arg(format!("--reloader.config-envsubst-file={}/output.yml", case.name))
        .args(["--reloader.watch-interval=3s", "--reloader.retry-interval=1s"])
        .current_dir(case.folder.path())
        .env_clear()
        .envs(variables)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    let log = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    if case.name.ends_with("-after-6s") {
        // Between the first and the second regular look, as in the recording.
        thread::sleep(Duration::from_millis(5_600).saturating_sub(begun.elapsed()));
        let second = case.recorded.join("input-second.yml");
        if case.name.contains("deleted") {
            let _ = fs::remove_file(place.join(input));
        } else if second.exists() {
            fs::write(place.join(input), fs::read(second).unwrap()).unwrap();
        }
    }
    let recorded_exit = case.result["exit_code"].as_i64();
    while begun.elapsed() < Duration::from_secs(13) {
        if recorded_exit.is_some() && child.try_wait().unwrap().is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let alone = child.try_wait().unwrap().is_some();
    let metrics = if alone { String::new() } else { scrape(&mut child) };
    // On a machine that is busy, a regular look more may have come before the metrics were read.
    let late = begun.elapsed() > Duration::from_millis(14_500);
    let status = child.wait().unwrap();
    let log = log.join().unwrap().unwrap();
    let mut problems = Vec::new();
    let mut compare = |what: &str, found: Value, recorded: &Value| {
        if found != *recorded {
            problems.push(format!("{what}: recorded {recorded}, found {found}"));
        }
    };
    let exit = status.code().map_or(Value::Null, Value::from);
    match recorded_exit {
        Some(code) => compare("exit code", exit, &code.into()),
        None => compare("exit code after SIGTERM", exit, &case.result["exit_code_after_sigterm"]),
    }
    let output = fs::read(place.join("output.yml")).ok();
    compare("output written", output.is_some().into(), &case.result["output_written"]);
    let wanted = fs::read(case.recorded.join("output.yml")).ok();
    if output != wanted {
        problems.push(format!("output differs: {output:?}, recorded {wanted:?}"));
    }
    problems.extend(differing_metrics(case, &metrics, late));
    let lines: Vec<Value> = log.lines().filter_map(told).map(Value::from).collect();
    if Value::from(lines.clone()) != case.result["log_lines"] {
        problems.push(format!("log: {lines:#?}\nrecorded: {:#}", case.result["log_lines"]));
    }
    problems
}

/// Reads the metrics, through the port that the kernel chose, and ends the process.
fn scrape(child: &mut Child) -> String {
    let pid = child.id();
    let listening = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|fd| {
            Some(
                fs::read_link(fd.path())
                    .ok()?
                    .to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    let port = listening.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = columns.get(3) == Some(&"0A")
            && sockets.iter().any(|inode| columns.get(9) == Some(&inode.as_str()));
        u16::from_str_radix(columns.get(1).filter(|_| ours)?.rsplit(':').next()?, 16).ok()
    });
    let metrics = port.and_then(|port| get(&format!("127.0.0.1:{port}"), "/metrics")).unwrap_or_default();
    let killed = Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(killed.success());
    metrics
}

fn differing_metrics(case: &Case, found: &str, late: bool) -> Vec<String> {
    let recorded = case.result["metrics"].as_object().unwrap();
    let found: BTreeMap<&str, &str> = found
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .collect();
    let mut problems: Vec<String> = recorded
        .iter()
        .filter(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str()))
        .filter(|(name, value)| {
            let found = found.get(name.as_str()).copied();
            let more =
                |found: &str| found.parse::<u32>().ok() >= value.as_str().and_then(|text| text.parse().ok());
            let excused = late && name.contains("_apply_operations_") && found.is_some_and(more);
            found != value.as_str() && !excused
        })
        .map(|(name, value)| format!("{name}: recorded {value}, found {:?}", found.get(name.as_str())))
        .collect();
    problems.extend(
        found
            .keys()
            .filter(|name| !recorded.contains_key(**name))
            .map(|name| format!("{name}: not recorded")),
    );
    problems
}

/// A log line without time and caller, if the recordings have its kind.
fn told(line: &str) -> Option<String> {
    let told = line.find(" level=").map(|at| line[at + 1..].to_owned())?;
    (told.contains("component=reloader") || told.starts_with("level=error")).then_some(told)
}
