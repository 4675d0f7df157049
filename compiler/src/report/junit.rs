//! JUnit XML: each finding is a test case, and those at or above the deny level fail.

use std::fmt::Write;

use super::xml::escape;
use super::{Options, place};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

pub(super) fn render(options: &Options, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let failures = diagnostics.iter().filter(|diagnostic| diagnostic.severity >= options.deny).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    // A suite without cases is read as "did not run" by most servers, so a clean run has one that passes.
    let tests = diagnostics.len().max(1);
    let _ = writeln!(
        out,
        "  <testsuite name=\"pronoia\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    );
    if diagnostics.is_empty() {
        out.push_str("    <testcase classname=\"pronoia\" name=\"check\"/>\n");
    }
    for diagnostic in diagnostics {
        case(&mut out, options, diagnostic, sources);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn case(out: &mut String, options: &Options, diagnostic: &Diagnostic, sources: &Sources) {
    let place = place(diagnostic, sources);
    let file = place.as_ref().map_or("pronoia", |place| place.path.as_str());
    let mut name = diagnostic.code.to_string();
    if let Some(place) = &place {
        let _ = write!(name, " {}:{}:{}", place.path, place.line, place.column);
    }
    let mut body = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        body.push_str("\nhelp: ");
        body.push_str(help);
    }
    let _ = writeln!(out, "    <testcase classname=\"{}\" name=\"{}\">", escape(file), escape(&name));
    if diagnostic.severity >= options.deny {
        let _ = writeln!(
            out,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            diagnostic.severity.word(),
            escape(&diagnostic.message),
            escape(&body)
        );
    } else {
        let _ =
            writeln!(out, "      <system-out>{}: {}</system-out>", diagnostic.severity.word(), escape(&body));
    }
    out.push_str("    </testcase>\n");
}
