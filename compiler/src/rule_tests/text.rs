//! The outcome of tests for people.

use std::fmt::Write;

use similar::{ChangeTag, TextDiff};

use super::{CaseReport, FileReport};
use rules::unit_test::TestFailure;

/// How failures are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Expected and found lines beside each other, not one after the other.
    pub diff: bool,
    /// With colours.
    pub color: bool,
}

const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const OFF: &str = "\u{1b}[0m";

/// The outcome of one file.
pub fn text(report: &FileReport, look: Look) -> String {
    let mut out = format!("{}\n", report.path);
    // Writing to a text cannot fail, here and below.
    for warning in &report.warnings {
        let _ = writeln!(out, "  WARNING: {warning}");
    }
    let failed = report.cases.iter().filter(|case| !case.failures.is_empty()).count();
    let count = report.cases.len();
    if report.passed() {
        let _ = writeln!(out, "  {}: {}", painted("SUCCESS", GREEN, look), tests(count));
        return out;
    }
    let _ = if report.problems.is_empty() {
        writeln!(out, "  {}: {failed} of {}", painted("FAILED", RED, look), tests(count))
    } else {
        writeln!(out, "  {}", painted("FAILED", RED, look))
    };
    for problem in &report.problems {
        let _ = writeln!(out, "    {problem}");
    }
    for case in report.cases.iter().filter(|case| !case.failures.is_empty()) {
        for failure in &case.failures {
            out.push_str(&failed_text(report, case, failure, look));
        }
    }
    out
}

fn tests(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

fn painted(text: &str, color: &str, look: Look) -> String {
    if look.color { format!("{color}{text}{OFF}") } else { text.to_owned() }
}

fn failed_text(report: &FileReport, case: &CaseReport, failure: &TestFailure, look: Look) -> String {
    let line = failure.line().unwrap_or(case.line);
    let mut out = format!("    {}:{line}: name: {}\n      {failure}\n", report.path, case.name);
    out.push_str(&sides(failure, look));
    out
}

/// What was expected and what there is; empty where nothing is compared.
pub(super) fn sides(failure: &TestFailure, look: Look) -> String {
    let Some((expected, got)) = failure.sides() else { return String::new() };
    let mut out = String::new();
    if look.diff {
        let (expected, got): (Vec<&str>, Vec<&str>) =
            (expected.iter().map(String::as_str).collect(), got.iter().map(String::as_str).collect());
        for change in TextDiff::from_slices(&expected, &got).iter_all_changes() {
            let (sign, color) = match change.tag() {
                ChangeTag::Delete => ("- ", RED),
                ChangeTag::Insert => ("+ ", GREEN),
                ChangeTag::Equal => ("  ", ""),
            };
            let line = format!("{sign}{}", change.value());
            let line = if color.is_empty() { line } else { painted(&line, color, look) };
            let _ = writeln!(out, "        {line}");
        }
        return out;
    }
    for (side, lines) in [("exp", expected), ("got", got)] {
        let _ = writeln!(out, "        {side}:{}", if lines.is_empty() { " nothing" } else { "" });
        for line in lines {
            let _ = writeln!(out, "          {line}");
        }
    }
    out
}
