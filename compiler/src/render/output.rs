//! Where renderers put what they make: objects through templates, ConfigMaps as shared pieces, plain texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::kube;
use super::template::Engine;
use super::yaml;
use crate::diagnostic::Diagnostic;
use crate::model::{Cluster, Sourced};
use crate::pipeline::{Artefact, Origin, Provenance};
use crate::source::Sources;

/// The values that a template may name, and who set them.
#[derive(Debug, Default, Clone)]
pub struct Context {
    values: Map<String, Value>,
    origins: BTreeMap<String, Origin>,
}

impl Context {
    /// Sets a value that follows from the model as a whole.
    pub fn put(&mut self, key: &str, value: impl Serialize) -> &mut Self {
        self.values.insert(key.to_string(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Sets a value that has an origin.
    pub fn sourced<T: Serialize>(&mut self, key: &str, value: &Sourced<T>) -> &mut Self {
        self.origins.insert(key.to_string(), value.origin.clone());
        self.put(key, &value.value)
    }

    /// Sets a value and says from what it follows.
    pub fn derived(&mut self, key: &str, value: impl Serialize, why: &str) -> &mut Self {
        self.origins.insert(key.to_string(), Origin::Derived(why.to_string()));
        self.put(key, value)
    }
}

/// One Kubernetes object on its way out.
#[derive(Debug)]
pub struct Object {
    /// File below the cluster's folder.
    pub file: String,
    /// The object; for a ConfigMap with texts, without its `data`.
    pub value: Value,
    /// Texts of a ConfigMap, as pieces that other artefacts share.
    pub texts: Vec<(String, Vec<Arc<str>>)>,
    /// Whether the user wrote it: kinds that we do not know pass through then.
    pub foreign: bool,
}

impl Object {
    /// `Kind/name`.
    pub fn title(&self) -> String {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        format!("{}/{}", text("/kind"), text("/metadata/name"))
    }

    /// Puts the texts into the tree, for a patch that wants to change them.
    pub fn settle(&mut self) {
        if self.texts.is_empty() {
            return;
        }
        let data: Map<String, Value> =
            self.texts.drain(..).map(|(key, pieces)| (key, Value::String(pieces.concat()))).collect();
        if let Some(object) = self.value.as_object_mut() {
            object.insert("data".to_string(), Value::Object(data));
        }
    }
}

/// Collects the output of one cluster.
pub struct Output<'a> {
    engine: &'a Engine,
    /// The cluster that is rendered.
    pub cluster: &'a Cluster,
    /// The files of the topology.
    pub sources: &'a Sources,
    /// Objects in the order of output.
    pub objects: Vec<Object>,
    texts: Vec<Artefact>,
    /// Who set what.
    pub provenance: Vec<Provenance>,
    /// What went wrong; only user templates and patches can make something go wrong here.
    pub diagnostics: Vec<Diagnostic>,
    /// By address of the piece: the piece, kept alive, and its indented form if it can stand in a literal block.
    indented: HashMap<usize, (Arc<str>, Option<Arc<str>>)>,
}

impl<'a> Output<'a> {
    /// An empty output.
    pub fn new(engine: &'a Engine, cluster: &'a Cluster, sources: &'a Sources) -> Output<'a> {
        Output {
            engine,
            cluster,
            sources,
            objects: Vec::new(),
            texts: Vec::new(),
            provenance: Vec::new(),
            diagnostics: Vec::new(),
            indented: HashMap::new(),
        }
    }

    /// Renders a template and adds its objects to `file`.
    pub fn render(&mut self, file: &str, template: &str, context: &Context) {
        let name = format!("{template}.yaml.j2");
        let rendered = match self.engine.render(&name, &Value::Object(context.values.clone())) {
            Ok(rendered) => rendered,
            Err(error) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "TPL001",
                        None,
                        format!("{}:{}: {}", error.template, error.line, error.message),
                    )
                    .help(
                        "every hole prints one JSON value; see ARCHITECTURE.md for what a template may name",
                    ),
                );
                return;
            }
        };
        let first = self.objects.len();
        for value in rendered.objects {
            self.object(file, value);
        }
        for hole in rendered.holes {
            let Some(object) = self.objects.get(first + hole.document) else { continue };
            let root = hole.expr.split(['.', '[', ' ', '|', '(']).next().unwrap_or_default();
            let origin = context.origins.get(root).cloned().unwrap_or_else(|| {
                Origin::Template(format!("templates/{}:{} `{}`", hole.template, hole.line, hole.expr))
            });
            let value = object.value.pointer(&hole.pointer).map(Value::to_string).unwrap_or_default();
            let value = if object.title().starts_with("Secret/") { "<redacted>".to_string() } else { value };
            self.provenance.push(Provenance {
                file: format!("{}{file}", self.cluster.folder),
                object: object.title(),
                field: hole.pointer.trim_start_matches('/').replace('/', "."),
                value,
                origin,
            });
        }
    }

    /// Adds an object as it is.
    pub fn object(&mut self, file: &str, value: Value) {
        self.objects.push(Object { file: file.to_string(), value, texts: Vec::new(), foreign: false });
    }

    /// Adds a ConfigMap whose texts are pieces; pieces that other ConfigMaps and raw files share cost nothing twice.
    pub fn config_map(
        &mut self,
        file: &str,
        name: &str,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        texts: Vec<(String, Vec<Arc<str>>)>,
    ) {
        let mut metadata = json!({ "name": name, "namespace": namespace });
        if !self.cluster.bare && !labels.is_empty() {
            metadata["labels"] = json!(labels);
        }
        let value = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
        self.objects.push(Object { file: file.to_string(), value, texts, foreign: false });
    }

    /// Adds a file that is not a Kubernetes object: an input for promtool, a policy, a runbook.
    pub fn text(&mut self, path: &str, pieces: Vec<Arc<str>>) {
        self.texts.push(Artefact { path: format!("{}{path}", self.cluster.folder), pieces });
    }

    /// The files that are no Kubernetes objects, as far as they are made.
    pub fn texts(&self) -> &[Artefact] {
        &self.texts
    }

    /// Types, orders and writes everything; the list is sorted by path.
    pub fn finish(mut self) -> (Vec<Artefact>, Vec<Provenance>, Vec<Diagnostic>) {
        let mut files: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        let header: Arc<str> = Arc::from("# Generated by pronoia; change the topology instead.\n");
        for mut object in std::mem::take(&mut self.objects) {
            let title = object.title();
            let value = std::mem::take(&mut object.value);
            let typed = if object.foreign { kube::canonical_user(value) } else { kube::canonical(value) };
            let value = match typed {
                Ok(value) => value,
                Err(error) => {
                    self.diagnostics.push(
                        Diagnostic::error("K8S001", None, error.to_string())
                            .object(title, error.pointer.clone())
                            .help("check the patch or template that touches this field"),
                    );
                    continue;
                }
            };
            let pieces = files.entry(object.file.clone()).or_insert_with(|| vec![header.clone()]);
            pieces.push(Arc::from("---\n"));
            pieces.push(Arc::from(yaml::to_yaml(&value)));
            if !object.texts.is_empty() {
                pieces.push(Arc::from("data:\n"));
            }
            for (key, text) in &object.texts {
                pieces.extend(self.block(key, text));
            }
        }
        let folder = self.cluster.folder.clone();
        let mut artefacts: Vec<Artefact> = files
            .into_iter()
            .map(|(file, pieces)| Artefact { path: format!("{folder}{file}"), pieces })
            .collect();
        artefacts.append(&mut self.texts);
        artefacts.sort_by(|a, b| a.path.cmp(&b.path));
        (artefacts, self.provenance, self.diagnostics)
    }

    /// One key of a ConfigMap as a literal block, or quoted where YAML has no block for it.
    fn block(&mut self, key: &str, text: &[Arc<str>]) -> Vec<Arc<str>> {
        let name = yaml::to_yaml(&json!({ key: null }));
        let name = name.trim_end().strip_suffix(" null").unwrap_or(key).to_string();
        let mut out = vec![Arc::from(format!("  {name} |\n"))];
        for piece in text {
            let address = piece.as_ptr() as usize;
            let (_, block) = self.indented.entry(address).or_insert_with(|| {
                let block = (piece.ends_with('\n') && is_plain_block(piece)).then(|| indent(piece));
                (piece.clone(), block)
            });
            out.extend(block.clone());
        }
        let opens_well = text.first().is_some_and(|first| !first.starts_with([' ', '\n']));
        // A block keeps one final line break; a text that ends in several takes the way through the tree.
        if out.len() <= text.len() || !opens_well || text.last().is_some_and(|last| last.ends_with("\n\n")) {
            return vec![Arc::from(format!("  {name} {}", yaml::indent_block(&text.concat(), 4)))];
        }
        out
    }
}

/// Whether a piece can stand inside a literal block as it is.
fn is_plain_block(piece: &str) -> bool {
    piece.bytes().all(|byte| {
        (b' '..0x7f).contains(&byte) || byte == b'\n' || byte >= 0xc4 || (0x80..=0xbf).contains(&byte)
    }) && !piece.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
}

fn indent(piece: &str) -> Arc<str> {
    let mut out = String::with_capacity(piece.len() + piece.len() / 8);
    for line in piece.split_inclusive('\n') {
        if line != "\n" {
            out.push_str("    ");
        }
        out.push_str(line);
    }
    Arc::from(out)
}
