//! The topology that runs: compiled for this machine, and compiled again when its files change.

use std::cell::RefCell;
use std::collections::BTreeSet;

use compiler::diagnostic::{Severity, has_errors};
use compiler::model::local::Machine;
use compiler::pipeline::{self, Artefact, Request, Target};

use super::plan::{Folders, Plan};
use super::programs::Programs;
use super::watch::{Inputs, RecordingWorld};
use crate::commands::console::Console;
use crate::commands::findings::{Deny, FindingsArgs, FormatArg, Stream};
use crate::commands::{disk, input};

/// About buckets in a folder: right for a cluster, and its own help says that it is fine here.
const FOLDER_BUCKET: &str = "OBJ007";

/// What is to run.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) file: &'a str,
    pub(super) env: Option<&'a str>,
    pub(super) only: &'a [String],
    pub(super) port_offset: u16,
    pub(super) folders: &'a Folders,
    pub(super) programs: &'a Programs,
    /// Warnings that were printed: after an edit, only new ones are.
    pub(super) shown: RefCell<BTreeSet<String>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) plan: Plan,
    pub(super) artefacts: Vec<Artefact>,
}

impl Wanted<'_> {
    /// Compiles; findings are printed, and with errors among them there is nothing to run.
    pub(super) fn resolve(&self, console: &Console) -> anyhow::Result<(Option<Resolved>, Inputs)> {
        input::must_exist(&disk::DiskWorld::default(), self.file)?;
        let world = RecordingWorld::default();
        let request = Request {
            path: self.file.to_string(),
            env: self.env.map(String::from),
            target: Target::Local,
            machine: Machine {
                port_offset: self.port_offset,
                prometheus: self.programs.prometheus_version,
                alertmanager: self.programs.alertmanager_version,
            },
            ..Request::default()
        };
        let outcome = pipeline::render(&world, &request);
        let inputs = world.into_inputs();
        let mut found = outcome.diagnostics;
        // Remarks are for `check`; what is left out here stands in the table.
        found.retain(|finding| finding.code != FOLDER_BUCKET && finding.severity > Severity::Info);
        let mut shown = self.shown.borrow_mut();
        found.retain(|finding| {
            let new = shown.insert(format!("{} {}", finding.code, finding.message));
            new || finding.severity == Severity::Error
        });
        if !found.is_empty() {
            let human = FindingsArgs { format: FormatArg::Human, deny: Deny::Error, exit_zero: false };
            human.print(console, Stream::Err, &found, &outcome.sources)?;
        }
        if has_errors(&found) {
            if found.iter().any(|finding| finding.code.starts_with("VER")) {
                console.err(&self.programs.versions());
            }
            return Ok((None, inputs));
        }
        let is_set = |name: &str| std::env::var_os(name).is_some();
        let plan = Plan::new(&outcome.artefacts, self.folders, self.programs, self.only, &is_set)?;
        Ok((Some(Resolved { plan, artefacts: outcome.artefacts }), inputs))
    }
}
