//! The HTTP surface of the sidecar, as it was recorded of Thanos'. `PRONOIA_SHARED` names the folder with the recordings.
#![expect(clippy::print_stderr, reason = "how much was compared, and what was left out, is told loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::pair::Pair;

/// Families that come only with a programming language, or only with what the recording was set up with.
const OTHERS: [&str; 3] = ["go_", "process_", "promhttp_"];

fn recordings() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: recorded HTTP answers of the sidecar; PRONOIA_SHARED names no folder");
        return None;
    };
    Some(Path::new(&folder).join("fixtures/wire/http/sidecar"))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a recording")).expect("JSON")
}

/// Status, headers in lower case, body.
type Answer = (u64, BTreeMap<String, String>, String);

fn ask(address: &str, method: &str, path: &str, accept: Option<&str>) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let accept = accept.map(|accept| format!("Accept: {accept}\r\n")).unwrap_or_default();
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{accept}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it answers");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    (status, headers, body.to_owned())
}

/// What is recorded in these files and differs from ours: one line each.
fn differences(address: &str, folder: &Path, names: &[&str]) -> Vec<String> {
    let mut differences = Vec::new();
    for name in names {
        let recorded = read(&folder.join(format!("{name}.json")));
        let (asked, wanted) = (&recorded["request"], &recorded["response"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let accept = asked["headers"]["Accept"].as_str();
        let (status, headers, body) = ask(address, &text(&asked["method"]), &text(&asked["path"]), accept);
        if wanted["status"].as_u64() != Some(status) {
            differences.push(format!("{name}: status {status} instead of {}", wanted["status"]));
        }
        for header in wanted["headers"].as_array().expect("headers") {
            let (header, wanted) = (text(&header[0]).to_ascii_lowercase(), text(&header[1]));
            let compared = ["content-type", "x-content-type-options"].contains(&header.as_str());
            if compared && headers.get(&header) != Some(&wanted) {
                differences
                    .push(format!("{name}: {header} {:?} instead of {wanted:?}", headers.get(&header)));
            }
        }
        if !name.starts_with("metrics") && body != text(&wanted["body_text"]) {
            differences.push(format!("{name}: {body:?} instead of {}", wanted["body_text"]));
        }
    }
    differences
}

/// Families with their types, and the names of their labels.
fn families(exposition: &str) -> BTreeMap<String, String> {
    exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

#[test]
fn recorded_answers_over_http_are_given_again() {
    let Some(folder) = recordings() else { return };
    let mut pair = Pair::new();
    pair.start_sidecar(true);
    pair.until("it is healthy", || super::pair::status(&pair.http_address, "/-/healthy") == Some(200));
    let early = ["healthy-no-prometheus", "not-ready-no-prometheus"];
    let mut differing = differences(&pair.http_address, &folder, &early);
    pair.start_prometheus();
    pair.until("it is ready", || pair.ready() == Some(200));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| {
            entry.expect("a file").file_name().to_string_lossy().trim_end_matches(".json").to_owned()
        })
        .filter(|name| name != "metrics-names" && !early.contains(&name.as_str()))
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    differing.extend(differences(&pair.http_address, &folder, &names));
    eprintln!(
        "sidecar HTTP: {} of {} recorded answers match",
        names.len() + early.len() - differing.len(),
        names.len() + early.len()
    );
    // There is no Go runtime whose profiles could be asked for.
    differing.retain(|line| !line.starts_with("debug-pprof-cmdline: "));
    assert!(differing.is_empty(), "{}", differing.join("\n"));

    let (_, _, exposition) = ask(&pair.http_address, "GET", "/metrics", None);
    let found = families(&exposition);
    let recorded = read(&folder.join("metrics-names.json"));
    let mut missing = Vec::new();
    let mut wanted = 0;
    for family in recorded["metrics"].as_array().expect("families") {
        let (name, kind) =
            (family["name"].as_str().expect("a name"), family["type"].as_str().expect("a type"));
        if OTHERS.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        wanted += 1;
        if found.get(name).map(String::as_str) != Some(kind) {
            missing.push(format!("{name} {kind}: {:?}", found.get(name)));
        }
    }
    eprintln!("sidecar metrics: {} of {wanted} recorded families are there", wanted - missing.len());
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
