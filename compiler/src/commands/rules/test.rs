//! `pronoia rules test`: unit tests of rules, without a Prometheus.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow};
use compiler::pipeline;
use compiler::rule_tests::{self, FileReport, Look, TestRequest};
use prom_model::GoSearch;
use rules::ParseOptions;

use crate::commands::Exit;
use crate::commands::console::Console;
use crate::commands::disk::DiskWorld;
use crate::commands::findings::stop_on_errors;
use crate::commands::input::{self, View};

/// Folders of a rendered tree that hold rule files.
const RULE_FOLDERS: [&str; 2] = ["raw/rules/", "raw/ruler-rules/"];

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all tests pass, 1 a file cannot be run, 2 a test fails.")]
pub(in crate::commands) struct Args {
    /// Files of tests
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Run only tests whose name this regular expression matches; may be repeated
    #[arg(long, value_name = "REGEX")]
    run: Vec<String>,
    /// Show expected and found lines as a difference
    #[arg(long)]
    diff: bool,
    /// Tell which tests run, how long they take, and all samples there were at the end
    #[arg(long)]
    debug: bool,
    /// Write the outcome as JUnit XML into this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Leave out fields of rule files that Prometheus does not have
    #[arg(long)]
    ignore_unknown_fields: bool,
    /// Feature flags of Prometheus, separated by commas; may be repeated
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    enable_feature: Vec<String>,
    /// Test the rules that this topology renders: all of them where a test names no `rule_files`, otherwise those that it names
    /// as `render` does (`raw/rules/*.yml`)
    #[arg(long, value_name = "FILE")]
    topology: Option<String>,
    /// Apply this environment of the topology
    #[arg(long, value_name = "ENV", requires = "topology")]
    env: Option<String>,
}

pub(in crate::commands) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut request = TestRequest {
        run: run_pattern(&args.run)?,
        ignore_unknown_fields: args.ignore_unknown_fields,
        dump: args.debug,
        // Prometheus has it without a flag by now.
        parse: ParseOptions { duration_expr: true, ..ParseOptions::default() },
        ..TestRequest::default()
    };
    for feature in &args.enable_feature {
        enable(console, &mut request, feature);
    }
    if let Some(topology) = &args.topology {
        match rendered(console, topology, args.env.as_deref())? {
            Ok(files) => request.rendered = files,
            Err(exit) => return Ok(exit),
        }
    }
    let world = DiskWorld::default();
    let look = Look { diff: args.diff, color: console.color_out() };
    let mut reports = Vec::new();
    for file in &args.files {
        let start = Instant::now();
        let report = rule_tests::run_file(&world, file, &request);
        console.out(&rule_tests::text(&report, look))?;
        if args.debug {
            debug(console, &report, start);
        }
        reports.push(report);
    }
    if let Some(path) = &args.junit {
        fs::write(path, rule_tests::junit(&reports)).with_context(|| format!("`{}`", path.display()))?;
    }
    Ok(if reports.iter().any(|report| !report.problems.is_empty()) {
        Exit::Failure
    } else if reports.iter().all(FileReport::passed) {
        Exit::Ok
    } else {
        Exit::Differences
    })
}

fn run_pattern(patterns: &[String]) -> anyhow::Result<Option<GoSearch>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let pattern = patterns.join("|");
    GoSearch::new(&pattern).map(Some).with_context(|| format!("`--run {pattern}`"))
}

fn enable(console: &Console, request: &mut TestRequest, feature: &str) {
    let parse = &mut request.parse;
    match feature {
        "promql-experimental-functions" => parse.experimental_functions = true,
        "promql-extended-range-selectors" => parse.extended_range_selectors = true,
        "promql-binop-fill-modifiers" => parse.binop_fill_modifiers = true,
        "promql-delayed-name-removal" => request.delayed_name_removal = true,
        "promql-duration-expr" | "" => {}
        other => console.note(&format!("  WARNING: Unknown feature passed to --enable-feature: {other}")),
    }
}

/// The rule files that a topology renders, or how the run ends.
fn rendered(
    console: &Console,
    topology: &str,
    env: Option<&str>,
) -> anyhow::Result<Result<Vec<(String, String)>, Exit>> {
    let view = View { envs: env.map(str::to_owned).into_iter().collect(), ..View::default() };
    let mut runs = input::run(topology, &view, pipeline::render)?;
    if let Some(exit) = stop_on_errors(console, &mut runs)? {
        return Ok(Err(exit));
    }
    let artefacts = runs.iter().flat_map(|run| &run.outcome.artefacts);
    let rules = artefacts.filter(|file| RULE_FOLDERS.iter().any(|folder| file.path.starts_with(folder)));
    let files: Vec<(String, String)> =
        rules.map(|file| (file.path.clone(), file.text().into_owned())).collect();
    if files.is_empty() {
        return Err(anyhow!("`{topology}` renders no rules"));
    }
    Ok(Ok(files))
}

fn debug(console: &Console, report: &FileReport, start: Instant) {
    for case in &report.cases {
        console.err(&format!("DEBUG: {}:{}: test {}\n", report.path, case.line, case.name));
        if let Some(dump) = &case.dump {
            console.err(&format!("DEBUG: Dump of all data (input_series and rules):\n{dump}\n"));
        }
    }
    console.err(&format!("DEBUG: {} finished, took {:?}\n", report.path, start.elapsed()));
}
