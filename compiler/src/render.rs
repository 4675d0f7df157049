//! Turns a model into files. Rendering is total: what could go wrong was found before.

pub mod flags;
pub mod output;
pub mod pod;
pub mod surround;
pub mod template;
pub mod yaml;

pub mod alertmanager;
pub mod bucket;
pub mod compact;
pub mod exporters;
pub mod grafana;
pub mod kube;
pub mod local;
pub mod manifests;
pub mod patch;
mod pointer;
pub mod prometheus;
pub mod prometheus_config;
pub mod prometheus_files;
pub mod prometheus_rbac;
pub mod query;
pub mod receive;
pub mod ruler;
pub mod rules;
pub mod storage;
pub mod store;
pub mod thanos;
pub mod whole;
pub mod workload;

use crate::diagnostic::Diagnostic;
use crate::model::{Cluster, Model};
use crate::pipeline::{Artefact, Provenance};
use crate::source::Sources;
use output::Output;
use template::Engine;

/// Renders every cluster of the model; the artefacts are sorted by path.
pub fn render(
    model: &Model,
    engine: &Engine,
    sources: &Sources,
) -> (Vec<Artefact>, Vec<Provenance>, Vec<Diagnostic>) {
    let (mut artefacts, mut provenance, mut diagnostics) = (Vec::new(), Vec::new(), Vec::new());
    for cluster in &model.clusters {
        if let Some(plan) = &cluster.local {
            let (files, findings) = local::render(model, cluster, plan, engine, sources);
            artefacts.extend(files);
            diagnostics.extend(findings);
            continue;
        }
        let (files, origins, findings) = render_cluster(model, cluster, engine, sources);
        artefacts.extend(files);
        provenance.extend(origins);
        diagnostics.extend(findings);
    }
    artefacts.sort_by(|a, b| a.path.cmp(&b.path));
    (artefacts, provenance, diagnostics)
}

/// The order here is the order of objects inside a file; files are ordered by their names.
fn render_cluster(
    model: &Model,
    cluster: &Cluster,
    engine: &Engine,
    sources: &Sources,
) -> (Vec<Artefact>, Vec<Provenance>, Vec<Diagnostic>) {
    let mut out = Output::new(engine, cluster, sources);
    whole::namespaces(&mut out);
    storage::render(&mut out);
    prometheus::render(&mut out);
    rules::render(&mut out);
    exporters::render(&mut out);
    bucket::render(&mut out);
    store::render(&mut out, model);
    compact::render(&mut out);
    query::render(&mut out, model);
    ruler::render(&mut out);
    receive::render(&mut out);
    alertmanager::render(&mut out);
    grafana::render(&mut out);
    workload::render(&mut out);
    manifests::render(&mut out);
    patch::apply(&mut out);
    whole::finish(&mut out);
    out.finish()
}
