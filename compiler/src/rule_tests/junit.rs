//! The outcome of tests as JUnit XML: a suite per file, a case per test.

use std::fmt::Write;

use super::text::{Look, sides};
use super::{CaseReport, FileReport};
use crate::report::escape_xml;

/// The outcome of all files.
pub fn junit(reports: &[FileReport]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let failures: usize = report.cases.iter().map(|case| case.failures.len()).sum();
        let errors = usize::from(!report.problems.is_empty());
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\">",
            escape_xml(&report.path),
            report.cases.len() + errors
        );
        if errors > 0 {
            let _ = writeln!(
                out,
                "    <testcase name=\"unknown\">\n      <error>{}</error>\n    </testcase>",
                escape_xml(&report.problems.join("\n"))
            );
        }
        for case in &report.cases {
            push_case(&mut out, case);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn push_case(out: &mut String, case: &CaseReport) {
    let name = escape_xml(&case.name);
    if case.failures.is_empty() {
        let _ = writeln!(out, "    <testcase name=\"{name}\"/>");
        return;
    }
    let _ = writeln!(out, "    <testcase name=\"{name}\">");
    for failure in &case.failures {
        let title = failure.to_string();
        let body = format!("{title}\n{}", sides(failure, Look::default()));
        let _ = writeln!(
            out,
            "      <failure message=\"{}\">{}</failure>",
            escape_xml(&title),
            escape_xml(body.trim_end())
        );
    }
    out.push_str("    </testcase>\n");
}
