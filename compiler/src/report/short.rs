//! One line per finding, in the manner of compilers: editors jump to it.

use std::fmt::Write;

use super::{place, plain};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        if let Some(place) = place(diagnostic, sources) {
            let _ = write!(out, "{}:{}:{}: ", plain(&place.path), place.line, place.column);
        }
        let _ = writeln!(
            out,
            "{}[{}]: {}",
            diagnostic.severity.word(),
            diagnostic.code,
            plain(&diagnostic.message)
        );
    }
    out
}
