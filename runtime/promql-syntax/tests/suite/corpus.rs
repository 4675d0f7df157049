//! Every query of Prometheus' own test scripts parses, prints, and parses again to the same text.
//!
//! The scripts are not part of the repository: `PRONOIA_SHARED` names a folder that has them in `promqltest/`.

use std::path::Path;

use promql_syntax::parse;

#[test]
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn prometheus_scripts() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so Prometheus' test scripts were not parsed");
        return;
    };
    let folder = Path::new(&shared).join("promqltest");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut total = 0;
    let mut wrong = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()).filter(|p| p.extension() == Some("test".as_ref()))
    {
        let script = std::fs::read_to_string(&path).unwrap();
        for (number, line) in script.lines().enumerate() {
            let Some(query) = query_of(line) else { continue };
            total += 1;
            let place = format!("{}:{}", path.file_name().unwrap().to_string_lossy(), number + 1);
            let (expr, errors) = parse(query);
            let Some(expr) = expr.filter(|_| errors.is_empty()) else {
                let errors: Vec<String> = errors.iter().map(|e| e.located(query)).collect();
                wrong.push(format!("{place}: {query}\n    {}", errors.join("\n    ")));
                continue;
            };
            let printed = expr.to_string();
            match parse(&printed) {
                (Some(again), errors) if errors.is_empty() && again.to_string() == printed => {}
                (_, errors) => wrong.push(format!("{place}: printed as {printed}\n    {errors:?}")),
            }
        }
    }
    eprintln!("Prometheus' test scripts: {} of {total} queries accepted", total - wrong.len());
    assert!(total > 2000, "only {total} queries found in {}", folder.display());
    assert!(wrong.is_empty(), "{} of {total}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn series_of_prometheus_scripts() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!(
            "LEFT OUT: PRONOIA_SHARED is not set, so the series of Prometheus' test scripts were not read"
        );
        return;
    };
    let (mut total, mut starts) = (0, 0);
    for entry in std::fs::read_dir(Path::new(&shared).join("promqltest")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("test".as_ref()) {
            continue;
        }
        let script = std::fs::read_to_string(&path).unwrap();
        let mut loading = false;
        for (number, line) in script.lines().map(str::trim).enumerate() {
            let place = || format!("{}:{}: {line}", path.file_name().unwrap().display(), number + 1);
            if line.is_empty() || line.starts_with('#') {
                loading = false;
            } else if line.starts_with("load") {
                loading = true;
            } else if loading && promql_syntax::is_start_timestamps(line) {
                starts += 1;
                promql_syntax::start_timestamps(line).unwrap_or_else(|error| panic!("{}: {error}", place()));
            } else if loading {
                total += 1;
                let series = promql_syntax::series_description(line)
                    .unwrap_or_else(|error| panic!("{}: {error}", place()));
                assert!(!series.values.is_empty(), "{}", place());
            }
        }
    }
    eprintln!("Prometheus' test scripts: {total} series and {starts} lines of start timestamps read");
    assert!(total > 900 && starts > 5, "only {total} series and {starts} lines of start timestamps");
}

/// The query of an `eval` line.
fn query_of(line: &str) -> Option<&str> {
    let (command, rest) = line.split_once(' ')?;
    if !command.starts_with("eval") {
        return None;
    }
    let words = if rest.starts_with("instant") { 3 } else { 7 };
    let mut query = rest;
    for _ in 0..words {
        query = query.trim_start().split_once(char::is_whitespace)?.1;
    }
    Some(query.trim())
}
