//! Reads rules: each file, inline group and expression once for a run, however many clusters use it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use prom_model::PromDuration;

use super::{Expression, RuleGroup, file, inline};
use crate::diagnostic::Diagnostic;
use crate::model::Cluster;
use crate::source::{FileId, ReadError, Sources, Span, World, join};
use crate::topology::decode::Written;
use crate::topology::nodes::alerting::{self, PartialResponse, Placement};

/// A group and what the topology says about its place.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The group.
    pub group: Arc<RuleGroup>,
    /// Where the user wants it.
    pub place: Option<Written<Placement>>,
    /// Whether it stands inside `ruler`.
    pub in_ruler: bool,
}

/// What a `rules` node sets for groups that do not say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Defaults {
    interval: Option<i64>,
    limit: Option<u64>,
    query_offset: Option<i64>,
    partial_response: Option<PartialResponse>,
}

/// All rules that were read.
pub struct Library<'w> {
    world: &'w dyn World,
    sources: &'w mut Sources,
    globs: BTreeMap<String, Result<Vec<String>, ReadError>>,
    files: BTreeMap<(String, Defaults), Vec<Arc<RuleGroup>>>,
    texts: BTreeMap<String, Option<(FileId, Arc<str>)>>,
    expressions: HashMap<Arc<str>, Arc<Expression>>,
}

impl<'w> Library<'w> {
    /// An empty library.
    pub fn new(world: &'w dyn World, sources: &'w mut Sources) -> Library<'w> {
        Library {
            world,
            sources,
            globs: BTreeMap::new(),
            files: BTreeMap::new(),
            texts: BTreeMap::new(),
            expressions: HashMap::new(),
        }
    }

    /// The files that took part.
    pub fn sources(&self) -> &Sources {
        self.sources
    }

    /// An expression; equal texts are read once.
    pub fn expression(&mut self, text: &str) -> Arc<Expression> {
        if let Some(known) = self.expressions.get(text) {
            return known.clone();
        }
        let text: Arc<str> = Arc::from(text);
        let read = Arc::new(Expression::read(text.clone()));
        self.expressions.insert(text, read.clone());
        read
    }

    /// The place of a part of a text that is written at `span`.
    pub fn place(&self, span: Span, text: &str, at: &Range<usize>) -> Span {
        place(self.sources, span, text, at)
    }

    /// Reads a file that a node names; `None` after a finding.
    pub fn file(
        &mut self,
        path: &str,
        from: Span,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<(FileId, Arc<str>)> {
        if let Some(known) = self.texts.get(path) {
            return known.clone();
        }
        let read = self.world.read(path).map_err(|error| error.to_string()).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| format!("not UTF-8: {}", error.utf8_error()))
        });
        let read = match read {
            Ok(text) => {
                let shared: Arc<str> = Arc::from(text.as_str());
                Some((self.sources.add(path, text), shared))
            }
            Err(error) => {
                diagnostics.push(
                    Diagnostic::error("KDL009", from, format!("cannot read `{path}`: {error}"))
                        .help("paths are relative to the file that names them"),
                );
                None
            }
        };
        self.texts.insert(path.to_string(), read.clone());
        read
    }

    /// A path relative to the file that holds `from`.
    pub fn relative(&self, path: &str, from: Span) -> String {
        self.sources.get(from.file).map_or_else(|| path.to_string(), |file| join(&file.path, path))
    }

    /// Every group that the topology of a cluster names, in its order.
    pub fn collect(&mut self, cluster: &Cluster, diagnostics: &mut Vec<Diagnostic>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let inside = cluster.topology.ruler.iter().flat_map(|ruler| &ruler.rules).map(|node| (node, true));
        for (node, in_ruler) in cluster.topology.rules.iter().map(|node| (node, false)).chain(inside) {
            let name = &node.name.value;
            let groups = if name.ends_with(".yaml") || name.ends_with(".yml") {
                if let Some(span) =
                    node.alerts.first().map(|a| a.span).or(node.records.first().map(|r| r.span))
                {
                    diagnostics.push(
                        Diagnostic::error(
                            "KDL007",
                            span,
                            format!("`{name}` names files, and files hold their own rules"),
                        )
                        .help("write this rule into another `rules` node, whose name does not end in .yaml"),
                    );
                }
                self.files(node, diagnostics)
            } else {
                vec![inline::read(self, node, cluster.bare, diagnostics)]
            };
            wanted.extend(groups.into_iter().map(|group| Wanted {
                group,
                place: node.place.clone(),
                in_ruler,
            }));
        }
        wanted
    }

    fn files(&mut self, node: &alerting::Rules, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<RuleGroup>> {
        let pattern = self.relative(&node.name.value, node.name.span);
        let paths = if pattern.contains(['*', '?', '[', '{']) {
            self.globs.entry(pattern.clone()).or_insert_with(|| self.world.glob(&pattern)).clone()
        } else {
            Ok(vec![pattern.clone()])
        };
        let paths = match paths {
            Ok(paths) if paths.is_empty() => {
                diagnostics.push(
                    Diagnostic::error("KDL009", node.name.span, format!("no file matches `{pattern}`"))
                        .help("paths are relative to the file that names them; `**` crosses folders"),
                );
                return Vec::new();
            }
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("`{pattern}`: {error}");
                diagnostics.push(Diagnostic::error("KDL009", node.name.span, message));
                return Vec::new();
            }
        };
        let defaults = Defaults {
            interval: node.every.as_ref().map(|every| every.value.as_millis()),
            limit: node.limit.as_ref().map(|limit| limit.value),
            query_offset: node.query_offset.as_ref().map(|offset| offset.value.as_millis()),
            partial_response: node.partial_response.as_ref().map(|answer| answer.value),
        };
        let mut groups = Vec::new();
        for path in paths {
            let key = (path, defaults);
            if let Some(known) = self.files.get(&key) {
                groups.extend(known.iter().cloned());
                continue;
            }
            let Some((file, text)) = self.file(&key.0, node.name.span, diagnostics) else { continue };
            let read: Vec<Arc<RuleGroup>> = file::read(self, file, &key.0, &text, diagnostics)
                .into_iter()
                .map(|mut group| {
                    group.interval = group.interval.or(defaults.interval.map(PromDuration::from_millis));
                    group.limit = group.limit.or(defaults.limit);
                    group.query_offset =
                        group.query_offset.or(defaults.query_offset.map(PromDuration::from_millis));
                    group.partial_response = group.partial_response.or(defaults.partial_response);
                    group.write();
                    Arc::new(group)
                })
                .collect();
            groups.extend(read.iter().cloned());
            self.files.insert(key, read);
        }
        groups
    }
}

/// Finds a part of a decoded text in the source. Quotes, escapes and indentation stand between the two, so each line is
/// looked for on its own; where one cannot be found, the whole text is meant.
pub(crate) fn place(sources: &Sources, span: Span, text: &str, at: &Range<usize>) -> Span {
    let Some(file) = sources.get(span.file) else { return span };
    let Some(source) = file.text.get(span.start as usize..) else { return span };
    let (start, end) = (at.start.min(text.len()), at.end.min(text.len()));
    let mut from = 0;
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        let find = |wanted: &str| source.get(from..).and_then(|rest| rest.find(wanted)).map(|at| at + from);
        // In a KDL string, quotes and backslashes have a backslash before them.
        let spelled: fn(&str) -> Cow<'_, str> = if find(content).is_some() {
            |text| Cow::Borrowed(text)
        } else {
            |text| Cow::Owned(escaped(text))
        };
        let written = spelled(content);
        let Some(found) = find(&written) else { return span };
        if start < line_start + line.len() || line_start + line.len() == text.len() {
            let lead = line.len() - line.trim_start().len();
            let offset = |at: usize| {
                let at = at.saturating_sub(line_start + lead).min(content.len());
                content.get(..at).map_or(at, |before| spelled(before).len())
            };
            let base = span.start as usize + found;
            return Span::new(span.file, base + offset(start), base + offset(end).max(offset(start)));
        }
        from = found + written.len();
        line_start += line.len();
    }
    span
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
