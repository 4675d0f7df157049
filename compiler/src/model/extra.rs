//! Files that a topology names beside its own: manifests, the configuration of the blackbox-exporter.

use serde_json::Value;

use super::Model;
use crate::diagnostic::Diagnostic;
use crate::render::yaml;
use crate::source::{Sources, Span, World, join};
use crate::topology::decode::Written;

/// Reads what the clusters name.
pub fn read(model: &mut Model, world: &dyn World, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &mut model.clusters {
        let mut reader = Reader { world, sources, diagnostics };
        let paths = cluster.topology.manifest.iter().flat_map(|manifest| &manifest.paths);
        let mut files: Vec<(String, Span)> = paths.flat_map(|path| reader.find(path)).collect();
        files.sort();
        files.dedup_by(|a, b| a.0 == b.0);
        cluster.manifests = files
            .into_iter()
            .filter_map(|(path, span)| Some((path.clone(), reader.manifest(&path, span)?)))
            .collect();
        if let Some(config) = cluster.topology.blackbox.as_ref().and_then(|blackbox| blackbox.config.as_ref())
        {
            cluster.blackbox_config = reader.find(config).into_iter().next().and_then(|(path, span)| {
                let text = reader.text(&path, span)?;
                reader.parse(&path, text.clone())?;
                Some(text)
            });
        }
    }
}

struct Reader<'a> {
    world: &'a dyn World,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// The files that a path or glob means, seen from the file that it is written in.
    fn find(&mut self, written: &Written<String>) -> Vec<(String, Span)> {
        let base = self.sources.get(written.span.file).map_or("", |file| file.path.as_str());
        let full = join(base, &written.value);
        if !written.value.contains(['*', '?', '[', '{']) {
            return vec![(full, written.span)];
        }
        match self.world.glob(&full) {
            Ok(found) if found.is_empty() => {
                let message = format!("no file matches `{}`", written.value);
                self.diagnostics.push(
                    Diagnostic::error("KDL009", written.span, message)
                        .help("paths are relative to the file that names them; `**` crosses folders"),
                );
                Vec::new()
            }
            Ok(found) => found.into_iter().map(|path| (path, written.span)).collect(),
            Err(error) => {
                let message = format!("`{}`: {error}", written.value);
                self.diagnostics.push(Diagnostic::error("KDL009", written.span, message));
                Vec::new()
            }
        }
    }

    fn text(&mut self, path: &str, from: Span) -> Option<String> {
        let text = match self.world.read(path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_string()),
            Err(error) => Err(error.to_string()),
        };
        text.map_err(|error| {
            self.diagnostics.push(
                Diagnostic::error("KDL009", from, format!("cannot read `{path}`: {error}"))
                    .help("paths are relative to the file that names them"),
            );
        })
        .ok()
    }

    fn parse(&mut self, path: &str, text: String) -> Option<Vec<Value>> {
        let parsed = yaml::parse(&text);
        parsed
            .map_err(|error| {
                let at = offset(&text, error.line, error.column);
                let file = self.sources.add(path, text.clone());
                let place = format!("{path}:{}", error.line);
                self.diagnostics.push(
                    Diagnostic::error(
                        "K8S001",
                        Span::new(file, at, at),
                        format!("{place}: {}", error.message),
                    )
                    .help("the file has to be YAML that kubectl reads"),
                );
            })
            .ok()
    }

    fn manifest(&mut self, path: &str, from: Span) -> Option<Vec<Value>> {
        let text = self.text(path, from)?;
        let documents = self.parse(path, text)?;
        let mut objects = Vec::new();
        for document in documents {
            // `kind: List` is how kubectl prints several objects.
            match document.get("items").and_then(Value::as_array) {
                Some(items) if document.get("kind").and_then(Value::as_str) == Some("List") => {
                    objects.extend(items.iter().cloned());
                }
                _ => objects.push(document),
            }
        }
        for object in &objects {
            if let Err(error) = crate::render::kube::canonical_user(object.clone()) {
                self.diagnostics.push(
                    Diagnostic::error("K8S001", from, format!("{path}: {error}"))
                        .help("the object is checked against its type; correct the field, or leave it out"),
                );
            }
        }
        Some(objects)
    }
}

/// Byte offset of a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}
