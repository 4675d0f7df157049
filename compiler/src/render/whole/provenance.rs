//! `provenance.json`: which line of the topology, or which default, set a field.

use std::collections::BTreeMap;

use serde_json::json;

use super::pretty;
use crate::pipeline::Origin;
use crate::render::output::Output;
use crate::source::{Sources, Span};

/// Adds it. What follows from other values is left out: `pronoia why` tells that too.
pub(super) fn render(out: &mut Output) {
    let mut files: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, String>>> = BTreeMap::new();
    let folder = out.cluster.folder.len();
    for entry in &out.provenance {
        let origin = match &entry.origin {
            Origin::Line(span) => match place(out.sources, *span) {
                Some(place) => place,
                None => continue,
            },
            Origin::Default(name) => name.clone(),
            Origin::Derived(_) | Origin::Template(_) => continue,
        };
        let file = entry.file.get(folder..).unwrap_or_default();
        files.entry(file).or_default().entry(&entry.object).or_default().insert(&entry.field, origin);
    }
    let text = pretty(&json!(files));
    out.text("provenance.json", vec![text.into()]);
}

/// `file:line`, seen from the folder of the topology: the same on every machine.
fn place(sources: &Sources, span: Span) -> Option<String> {
    let place = sources.place(span)?;
    let first = sources.get(0).map_or("", |file| file.path.as_str());
    let folder = first.rfind('/').map_or("", |cut| first.get(..=cut).unwrap_or_default());
    let path = place.path.strip_prefix(folder).unwrap_or(&place.path);
    Some(format!("{path}:{}", place.line))
}
