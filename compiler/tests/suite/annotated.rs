//! Cases in `*.kdl`: a topology whose lines are followed by the findings that they earn.
//!
//! ```text
//! --- name of the case ---
//! // env: staging                     optional: the overlay
//! // today: 2026-01-01                optional: the day
//! // variable: REGION=eu              optional: the environment of the process
//! // render                           optional: renders too, not only checks
//! // file: lib/x.kdl                  optional: another file, indented, until `// end file`
//! topology a {
//!     every 15s
//!     // error: [KDL006] 11-13 `15s` is not a KDL value
//!     // help: durations are strings: write "15s"
//! }
//! ```
//! Columns count characters from 1 and include the last one; `11-+2:5` ends two lines below in column 5. Findings in
//! other files stand at the end with `path:line:column`, findings without a place at the end with `-`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compiler::diagnostic::{Diagnostic, Severity};
use compiler::pipeline::{self, Outcome, Request};
use compiler::source::MemoryWorld;

const TOPOLOGY: &str = "topology.kdl";

/// One case, without its findings.
#[derive(Default)]
pub(super) struct Case {
    pub(super) name: String,
    headers: Vec<String>,
    request: Request,
    world: MemoryWorld,
    lines: Vec<String>,
}

impl Case {
    /// The topology itself.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(super) fn world(&self) -> MemoryWorld {
        let mut world = self.world.clone();
        world.files.insert(TOPOLOGY.to_string(), self.text().into_bytes());
        world
    }

    pub(super) fn request(&self) -> Request {
        Request { path: TOPOLOGY.to_string(), ..self.request.clone() }
    }

    pub(super) fn run(&self) -> Outcome {
        let run = if self.headers.iter().any(|line| line == "// render") {
            pipeline::render
        } else {
            pipeline::check
        };
        run(&self.world(), &self.request())
    }
}

/// What precedes the first case, and the cases.
pub(super) fn parse(text: &str) -> (String, Vec<Case>) {
    let mut preface = String::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut open_file: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--- ").and_then(|rest| rest.strip_suffix(" ---")) {
            cases.push(Case { name: name.to_string(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            let _ = writeln!(preface, "{line}");
            continue;
        };
        if let Some(path) = &open_file {
            case.headers.push(line.to_string());
            if line == "// end file" {
                open_file = None;
            } else {
                let content = case.world.files.entry(path.clone()).or_default();
                content.extend(line.strip_prefix("    ").unwrap_or(line).bytes().chain([b'\n']));
            }
            continue;
        }
        if case.lines.is_empty() && header(line, case) {
            case.headers.push(line.to_string());
            if let Some(path) = line.strip_prefix("// file: ") {
                case.world.files.insert(path.to_string(), Vec::new());
                open_file = Some(path.to_string());
            }
        } else if !is_finding(line) {
            case.lines.push(line.to_string());
        }
    }
    for case in &mut cases {
        while case.lines.last().is_some_and(String::is_empty) {
            case.lines.pop();
        }
    }
    (preface, cases)
}

fn header(line: &str, case: &mut Case) -> bool {
    let Some(rest) = line.strip_prefix("// ") else { return false };
    match rest.split_once(": ") {
        Some(("env", name)) => case.request.env = Some(name.to_string()),
        Some(("today", day)) => case.world.today = day.to_string(),
        Some(("variable", pair)) => {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            case.world.variables.insert(name.to_string(), value.to_string());
        }
        Some(("file", _)) => {}
        None if rest == "render" => {}
        _ => return false,
    }
    true
}

fn is_finding(line: &str) -> bool {
    let line = line.trim_start();
    ["// error: [", "// warning: [", "// info: [", "// help: "].iter().any(|start| line.starts_with(start))
}

fn finding(found: &Diagnostic, place: &str, indent: &str) -> String {
    // A message of several lines stays one line here.
    let flat = |text: &str| text.replace('\n', "\\n");
    let word = found.severity.word();
    let mut out = format!("{indent}// {word}: [{}] {place} {}\n", found.code, flat(&found.message));
    if let Some(help) = &found.help {
        let _ = writeln!(out, "{indent}// help: {}", flat(help));
    }
    out
}

/// The case as it ought to stand in the file.
fn print(case: &Case) -> String {
    let outcome = case.run();
    let mut below: BTreeMap<usize, String> = BTreeMap::new();
    let mut end = String::new();
    for found in &outcome.diagnostics {
        let place = found.span.and_then(|span| outcome.sources.place(span));
        match place {
            Some(place) if place.path == TOPOLOGY => {
                let columns = match place.end_line - place.line {
                    0 if place.end_column <= place.column + 1 => place.column.to_string(),
                    0 => format!("{}-{}", place.column, place.end_column - 1),
                    lines => format!("{}-+{lines}:{}", place.column, place.end_column.saturating_sub(1)),
                };
                let line = case.lines.get(place.line - 1).map_or("", String::as_str);
                let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
                below.entry(place.line).or_default().push_str(&finding(found, &columns, &indent));
            }
            Some(place) => {
                let place = format!("{}:{}:{}", place.path, place.line, place.column);
                end.push_str(&finding(found, &place, ""));
            }
            None => end.push_str(&finding(found, "-", "")),
        }
    }
    let mut out = format!("--- {} ---\n", case.name);
    for header in &case.headers {
        let _ = writeln!(out, "{header}");
    }
    for (index, line) in case.lines.iter().enumerate() {
        let _ = writeln!(out, "{line}");
        out.push_str(&below.remove(&(index + 1)).unwrap_or_default());
    }
    // Past the last line: the end of the file.
    below.into_values().for_each(|found| out.push_str(&found));
    out + &end
}

/// All cases of all files.
pub(super) fn all() -> Vec<Case> {
    super::files("tests/suite", ".kdl").iter().flat_map(|(_, text)| parse(text).1).collect()
}

#[test]
fn every_case_yields_its_findings_and_no_others() {
    let mut failures = Vec::new();
    for (path, text) in super::files("tests/suite", ".kdl") {
        let (preface, cases) = parse(&text);
        let ought = preface + &cases.iter().map(print).collect::<Vec<_>>().join("\n");
        failures.extend(super::compare(&path, &text, &ought).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn case_names_are_unique_and_no_finding_is_mute() {
    let mut seen = std::collections::BTreeSet::new();
    let mut wrong = 0;
    for case in all() {
        assert!(seen.insert(case.name.clone()), "two cases are called `{}`", case.name);
        let outcome = case.run();
        let errors = outcome.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        wrong += usize::from(errors.count() > 0);
        for found in &outcome.diagnostics {
            assert!(!found.message.is_empty(), "{}: {} says nothing", case.name, found.code);
            // What is wrong with the text itself always has a way out.
            let helped = found.help.as_ref().is_some_and(|help| !help.is_empty());
            assert!(helped || !found.code.starts_with("KDL"), "{}: no way out: {}", case.name, found.message);
        }
    }
    assert!(wrong >= 150, "only {wrong} wrong topologies");
}
