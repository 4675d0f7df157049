//! The whole way: files → topology → model → checks → artefacts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::diagnostic::{self, Diagnostic};
use crate::model::local::Machine;
use crate::render::template::Engine;
use crate::source::{Sources, Span, World};
use crate::{checks, model, render, topology};

/// What to render for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Manifests for `kubectl apply`.
    #[default]
    Kubernetes,
    /// Plain files for processes on this machine.
    Local,
}

/// What is asked of the compiler.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Path of the topology, as the [`World`] knows it.
    pub path: String,
    /// Environment overlay to apply.
    pub env: Option<String>,
    /// Output target.
    pub target: Target,
    /// Templates that replace the built-in ones: file name to text.
    pub templates: BTreeMap<String, String>,
    /// The machine that [`Target::Local`] is for.
    pub machine: Machine,
}

/// Everything that one run found out.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The files that took part.
    pub sources: Sources,
    /// Findings, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Rendered files, sorted by path; empty when there are errors.
    pub artefacts: Vec<Artefact>,
    /// Who set what, for `pronoia why`.
    pub provenance: Vec<Provenance>,
    /// The edges between components, for `pronoia graph`.
    pub edges: Vec<Edge>,
}

/// One output file.
#[derive(Debug, Clone)]
pub struct Artefact {
    /// Path below the output folder, `/` separated.
    pub path: String,
    /// The bytes, as pieces that artefacts may share.
    pub pieces: Vec<Arc<str>>,
}

impl Artefact {
    /// An artefact of one piece.
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Artefact {
        Artefact { path: path.into(), pieces: vec![text.into()] }
    }

    /// The whole text.
    pub fn text(&self) -> Cow<'_, str> {
        match self.pieces.as_slice() {
            [one] => Cow::Borrowed(one),
            pieces => Cow::Owned(pieces.iter().map(AsRef::as_ref).collect()),
        }
    }

    /// Writes the text without joining it first.
    pub fn write_to(&self, out: &mut dyn io::Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| out.write_all(piece.as_bytes()))
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the topology.
    Line(Span),
    /// A default of a profile, such as `hardened@1/pod.grace`.
    Default(String),
    /// Follows from the graph or from other values; the text says from what.
    Derived(String),
    /// Stands in a template: `templates/x.yaml.j2:12`.
    Template(String),
}

/// The origin of one field of one rendered object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Artefact path.
    pub file: String,
    /// `Kind/name`, with `namespace/` before the name when it matters: `StatefulSet/prom/prometheus`.
    pub object: String,
    /// Field as a dotted path, `spec.replicas`.
    pub field: String,
    /// The value, as JSON.
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

/// One edge of the graph: who talks to whom, and about what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Caller.
    pub from: String,
    /// Callee.
    pub to: String,
    /// `query`, `write`, `scrape`, `alert`, `bucket`, `reload`.
    pub kind: String,
    /// Port of the callee, when it is known.
    pub port: Option<u16>,
}

/// Parses, resolves and checks; renders nothing.
pub fn check(world: &dyn World, request: &Request) -> Outcome {
    run(world, request, false)
}

/// Parses, resolves, checks and, when there is no error, renders.
pub fn render(world: &dyn World, request: &Request) -> Outcome {
    run(world, request, true)
}

fn run(world: &dyn World, request: &Request, wanted: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let decoded = topology::read(
        world,
        &request.path,
        request.env.as_deref(),
        &mut outcome.sources,
        &mut outcome.diagnostics,
    );
    let mut model = model::build::build(
        decoded,
        (request.target == Target::Local).then_some(&request.machine),
        world,
        &mut outcome.sources,
        &mut outcome.diagnostics,
    );
    model::extra::read(&mut model, world, &mut outcome.sources, &mut outcome.diagnostics);
    checks::run(&model, &world.today(), &mut outcome.diagnostics);
    outcome.edges = model.clusters.iter().flat_map(|cluster| cluster.edges.iter().cloned()).collect();
    if wanted && !diagnostic::has_errors(&outcome.diagnostics) {
        match Engine::new(request.templates.clone()) {
            Ok(engine) => {
                let (artefacts, provenance, findings) = render::render(&model, &engine, &outcome.sources);
                outcome.diagnostics.extend(findings);
                if !diagnostic::has_errors(&outcome.diagnostics) {
                    outcome.artefacts = artefacts;
                    outcome.provenance = provenance;
                }
            }
            Err(errors) => outcome.diagnostics.extend(errors.into_iter().map(|error| {
                let message = format!("{}:{}: {}", error.template, error.line, error.message);
                Diagnostic::error("TPL001", None, message)
                    .help("fix the template, or leave `--templates` out")
            })),
        }
    }
    diagnostic::sort(&mut outcome.diagnostics);
    outcome
}
