//! Checks: what can be proved wrong, or at least risky, before anything is deployed. Each reads the model only.

mod accepted;
mod cmp004;
mod idn002;
mod idn012;
mod kdl013;
mod sec003;
mod sto001;
mod ten001;
mod ver001;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Model;

/// One check: its code, and what it does.
pub type Check = (&'static str, fn(&Model, &mut Vec<Diagnostic>));

/// Every check, by code.
pub const ALL: &[Check] = &[
    ("CMP004", cmp004::check),
    ("IDN002", idn002::check),
    ("IDN012", idn012::check),
    ("KDL013", kdl013::check),
    ("SEC003", sec003::check),
    ("STO001", sto001::check),
    ("TEN001", ten001::check),
    ("VER001", ver001::check),
];

/// Runs every check, then takes away what the topology accepts with `allow`. `today` is `YYYY-MM-DD`.
pub fn run(model: &Model, today: &str, diagnostics: &mut Vec<Diagnostic>) {
    for (_, check) in ALL {
        check(model, diagnostics);
    }
    if !model.clusters.is_empty() && model.clusters.iter().all(|cluster| cluster.bare) {
        diagnostics
            .iter_mut()
            .filter(|found| is_advice(found.code))
            .for_each(|found| found.severity = Severity::Info);
    }
    accepted::apply(model, today, diagnostics);
    // Advice on a file that could not be read as meant would lead astray: what is misspelt counts as missing.
    let own = |found: &Diagnostic| found.code.starts_with("KDL");
    if diagnostics.iter().any(|found| own(found) && found.severity == Severity::Error) {
        diagnostics.retain(|found| own(found) || found.severity == Severity::Error);
    }
}

/// Whether a finding is about quality and not about a broken input: under `bare` it is only reported.
fn is_advice(code: &str) -> bool {
    const HARD: &[&str] =
        &["ALR010", "RES006", "RES007", "RUL001", "VER001", "VER003", "RLD004", "SHD006", "CMP002"];
    let groups = [
        "IDN", "SHD", "ALR", "STO", "OBJ", "CMP", "QRY", "DSC", "RBC", "POD", "RES", "RUL", "RLD", "SEC",
        "VER", "MCL", "TEN",
    ];
    groups.iter().any(|group| code.starts_with(group)) && !HARD.contains(&code)
}
