//! Unit tests of rules: which files there are, and what became of each test. Beside files, the rules of a topology can be tested.

mod junit;
mod text;

use prom_model::GoSearch;
use rules::unit_test::{TestFailure, TestOutcome, TestSetup, run_test};
use rules::{FileOptions, ParseOptions, read_rules, read_unit_tests};

use crate::source::{ReadError, World, glob_matcher, join};

pub use junit::junit;
pub use text::{Look, text};

/// What is asked for beside the files.
#[derive(Debug, Default)]
pub struct TestRequest {
    /// Tests whose name it matches are run; without it, all.
    pub run: Option<GoSearch>,
    /// Whether fields of rule files that Prometheus does not have are left out.
    pub ignore_unknown_fields: bool,
    /// The parts of the language that feature flags switch on.
    pub parse: ParseOptions,
    /// `promql-delayed-name-removal`
    pub delayed_name_removal: bool,
    /// Whether each outcome holds all samples there were at the end.
    pub dump: bool,
    /// Rule files that a topology renders: path and text. `rule_files` names them as files on disk.
    pub rendered: Vec<(String, String)>,
}

/// What became of one file of tests.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: String,
    /// Remarks that fail nothing.
    pub warnings: Vec<String>,
    /// Why no test was run; empty if all were.
    pub problems: Vec<String>,
    /// The tests that were run, in the order of the file.
    pub cases: Vec<CaseReport>,
}

/// What became of one test.
#[derive(Debug)]
pub struct CaseReport {
    /// The name; `unnamed#` and its number from 0 if it has none.
    pub name: String,
    /// The line of the test.
    pub line: u32,
    /// What is not as expected.
    pub failures: Vec<TestFailure>,
    /// All samples there were at the end, if they were asked for.
    pub dump: Option<String>,
}

impl FileReport {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.problems.is_empty() && self.cases.iter().all(|case| case.failures.is_empty())
    }
}

/// Runs the tests of one file.
pub fn run_file(world: &dyn World, path: &str, request: &TestRequest) -> FileReport {
    let mut report =
        FileReport { path: path.to_owned(), warnings: Vec::new(), problems: Vec::new(), cases: Vec::new() };
    let file = match world.read(path).map(|text| read_unit_tests(&text)) {
        Ok(Ok(file)) => file,
        Ok(Err(problems)) => {
            report.problems.extend(problems.iter().map(|problem| format!("{path}:{problem}")));
            return report;
        }
        Err(error) => {
            report.problems.push(format!("{path}: {error}"));
            return report;
        }
    };
    let mut order = Vec::new();
    for name in &file.group_eval_order {
        if order.contains(name) {
            report.problems.push(format!("{path}: group name repeated in evaluation order: {name}"));
        }
        order.push(name.clone());
    }
    let mut setup = TestSetup {
        groups: Vec::new(),
        evaluation_interval: file.evaluation_interval,
        group_eval_order: order,
        fuzzy_compare: file.fuzzy_compare,
        parse: request.parse,
        delayed_name_removal: request.delayed_name_removal,
        dump: request.dump,
    };
    for (name, text) in rule_files(world, path, &file.rule_files, request, &mut report) {
        let options =
            FileOptions { ignore_unknown_fields: request.ignore_unknown_fields, parse: request.parse };
        match read_rules(&text, &options) {
            Ok(groups) => setup.groups.extend(groups),
            Err(problems) => {
                report.problems.extend(problems.iter().map(|problem| format!("{name}:{problem}")))
            }
        }
    }
    if !report.problems.is_empty() {
        return report;
    }
    for (index, test) in file.tests.iter().enumerate() {
        if request.run.as_ref().is_some_and(|run| !run.is_match(&test.name)) {
            continue;
        }
        let name = if test.name.is_empty() { format!("unnamed#{index}") } else { test.name.clone() };
        let TestOutcome { failures, dump } = run_test(test, &setup);
        report.cases.push(CaseReport { name, line: test.line, failures, dump });
    }
    report
}

/// Names and texts of the rule files that a test file names; without any, all that the topology renders.
fn rule_files(
    world: &dyn World,
    path: &str,
    patterns: &[String],
    request: &TestRequest,
    report: &mut FileReport,
) -> Vec<(String, Vec<u8>)> {
    let rendered = |text: &String| text.clone().into_bytes();
    if patterns.is_empty() {
        return request.rendered.iter().map(|(name, text)| (name.clone(), rendered(text))).collect();
    }
    let mut files = Vec::new();
    for pattern in patterns {
        match matching(world, path, pattern, request) {
            Ok(found) if found.is_empty() => {
                report.warnings.push(format!("no file match pattern {}", join(path, pattern)));
            }
            Ok(found) => {
                for file in found {
                    let text = match request.rendered.iter().find(|(name, _)| *name == file) {
                        Some((_, text)) => Ok(rendered(text)),
                        None => world.read(&file),
                    };
                    match text {
                        Ok(text) => files.push((file, text)),
                        Err(error) => report.problems.push(format!("{file}: {error}")),
                    }
                }
            }
            Err(error) => report.problems.push(format!("{path}: rule file {pattern}: {error}")),
        }
    }
    files
}

/// The files that a pattern matches: on disk from the folder of the test file on, or among those that a topology renders.
fn matching(
    world: &dyn World,
    path: &str,
    pattern: &str,
    request: &TestRequest,
) -> Result<Vec<String>, ReadError> {
    let on_disk = world.glob(&join(path, pattern))?;
    if !on_disk.is_empty() || request.rendered.is_empty() {
        return Ok(on_disk);
    }
    let matcher = glob_matcher(pattern)?;
    let names = request.rendered.iter().map(|(name, _)| name);
    Ok(names.filter(|name| matcher.is_match(name)).cloned().collect())
}
