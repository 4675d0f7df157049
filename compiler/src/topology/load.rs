//! From a path to one merged topology: includes, imports, variables, environments, clusters.

use std::collections::BTreeMap;

use super::merge::{merge, repeated};
use super::parse::parse;
use super::tree::{Node, Scalar, Value};
use super::variables::Variables;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::source::{ReadError, Sources, Span, World, join};

/// Files that one topology may pull in.
const FILES_MAX: usize = 2000;
/// Include depth.
const DEPTH_MAX: usize = 16;

/// A topology with everything spliced, substituted and overlaid, ready to be decoded.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The `topology` node without clusters, environments and variables.
    pub topology: Option<Node>,
    /// One node per `cluster`, with template, shared nodes and overlay merged: a topology of its own.
    pub clusters: Vec<Node>,
    /// Profiles declared in the files.
    pub profiles: Vec<Node>,
    /// Names of all environments.
    pub environments: Vec<String>,
}

/// Reads `path` and all that it names.
pub fn load(
    world: &dyn World,
    path: &str,
    env: Option<&str>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Loaded {
    let mut loader =
        Loader { world, sources, diagnostics, stack: Vec::new(), files: 0, imports: BTreeMap::new() };
    let nodes = loader.file(path, None);
    loader.assemble(nodes, env)
}

struct Loader<'a> {
    world: &'a dyn World,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    stack: Vec<String>,
    files: usize,
    imports: BTreeMap<String, Vec<Node>>,
}

impl Loader<'_> {
    fn file(&mut self, path: &str, from: Option<Span>) -> Vec<Node> {
        if self.stack.iter().any(|open| open == path) {
            let circle =
                self.stack.iter().chain([&path.to_string()]).cloned().collect::<Vec<_>>().join(" → ");
            self.diagnostics.push(
                Diagnostic::error("KDL009", from, format!("`{path}` includes itself: {circle}"))
                    .help("remove this include"),
            );
            return Vec::new();
        }
        if self.stack.len() >= DEPTH_MAX || self.files >= FILES_MAX {
            self.diagnostics.push(
                Diagnostic::error(
                    "KDL011",
                    from,
                    format!("more than {DEPTH_MAX} files deep or {FILES_MAX} files in all at `{path}`"),
                )
                .help("include fewer files, or join some of them"),
            );
            return Vec::new();
        }
        self.files += 1;
        let bytes = match self.world.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let code = if matches!(error, ReadError::TooLarge { .. }) { "KDL011" } else { "KDL009" };
                let help = match error {
                    ReadError::NotFound => "paths are relative to the file that names them",
                    ReadError::TooLarge { .. } => "split it, or move rules into `rules \"rules/*.yaml\"`",
                    ReadError::Io(_) => "check the file and its permissions",
                };
                self.diagnostics
                    .push(Diagnostic::error(code, from, format!("cannot read `{path}`: {error}")).help(help));
                return Vec::new();
            }
        };
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let file = self.sources.add(path, text);
                self.diagnostics.push(
                    Diagnostic::error(
                        "KDL012",
                        Span::new(file, at, at + char::REPLACEMENT_CHARACTER.len_utf8()),
                        format!("`{path}` is not UTF-8: byte {at} is wrong"),
                    )
                    .help("save the file as UTF-8"),
                );
                return Vec::new();
            }
        };
        let file = self.sources.add(path, text.clone());
        let nodes = parse(file, &text, self.diagnostics);
        self.stack.push(path.to_string());
        let nodes = self.splice(path, nodes, true);
        self.stack.pop();
        nodes
    }

    /// Replaces `include` by what it names, wherever it stands; remembers what `import` names.
    fn splice(&mut self, path: &str, nodes: Vec<Node>, top: bool) -> Vec<Node> {
        let mut out = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            match node.name.as_str() {
                "include" => {
                    for target in self.targets(path, &node) {
                        out.extend(self.file(&target, Some(node.span)));
                    }
                }
                "import" if top => self.import(path, &node),
                _ => {
                    node.children = self.splice(path, std::mem::take(&mut node.children), false);
                    out.push(node);
                }
            }
        }
        out
    }

    fn targets(&mut self, path: &str, node: &Node) -> Vec<String> {
        let mut targets = Vec::new();
        if node.args.is_empty() {
            self.diagnostics.push(
                Diagnostic::error("KDL005", node.span, format!("`{}` names no file", node.name)).help(
                    match node.name.as_str() {
                        "import" => "write `import \"lib/edge.kdl\" as=edge`",
                        _ => "write `include \"jobs/*.kdl\"`",
                    },
                ),
            );
        }
        for prop in node.props.iter().filter(|prop| node.name != "import" || prop.name != "as") {
            let help = match node.name.as_str() {
                "import" => "did you mean `as`?",
                _ => "it has none; `import \"lib/edge.kdl\" as=edge` names a template",
            };
            let message = format!("`{}` has no property `{}`", node.name, prop.name);
            self.diagnostics.push(Diagnostic::error("KDL003", prop.name_span, message).help(help));
        }
        for value in &node.args {
            let Scalar::Str(pattern) = &value.scalar else {
                let message = format!("expected a path, found {}", value.scalar.describe());
                self.diagnostics
                    .push(Diagnostic::error("KDL006", value.span, message).help("write it as a string"));
                continue;
            };
            let full = join(path, pattern);
            if !pattern.contains(['*', '?', '[', '{']) {
                targets.push(full);
                continue;
            }
            match self.world.glob(&full) {
                Ok(found) if found.is_empty() => self.diagnostics.push(
                    Diagnostic::error("KDL009", value.span, format!("no file matches `{pattern}`"))
                        .help("paths are relative to the file that names them; `**` crosses folders"),
                ),
                Ok(found) => targets.extend(found),
                Err(error) => self.diagnostics.push(
                    Diagnostic::error("KDL009", value.span, format!("`{pattern}`: {error}"))
                        .help("patterns know `*`, `**`, `?`, `[a-z]` and `{a,b}`"),
                ),
            }
        }
        targets
    }

    fn import(&mut self, path: &str, node: &Node) {
        let targets = self.targets(path, node);
        let name = match node.prop_text("as") {
            Some(name) => name.to_string(),
            None => {
                // Another property is most likely the name, misspelt, and that is said already.
                if node.props.is_empty() || node.prop("as").is_some() {
                    self.diagnostics.push(
                        Diagnostic::error("KDL005", node.span, "`import` gives the template no name")
                            .help("write `import \"lib/edge.kdl\" as=edge`"),
                    );
                }
                // Known by the name of its file, so that its users are not reported too.
                let Some(first) = node.first_text() else { return };
                let file = first.rsplit('/').next().unwrap_or(first);
                file.strip_suffix(".kdl").unwrap_or(file).to_string()
            }
        };
        let mut nodes = Vec::new();
        for target in targets {
            nodes.extend(self.file(&target, Some(node.span)));
        }
        // A template may be written as a topology of its own or as bare nodes.
        let nodes = match nodes.iter().position(|node| node.name == "topology") {
            Some(at) => {
                let topology = nodes.swap_remove(at);
                nodes.retain(|node| node.name == "var");
                nodes.extend(topology.children);
                nodes
            }
            None => nodes,
        };
        if self.imports.insert(name.clone(), nodes).is_some() {
            self.diagnostics.push(
                Diagnostic::error("KDL008", node.span, format!("a second template `{name}`"))
                    .help("give it another name with as=…"),
            );
        }
    }

    fn assemble(mut self, nodes: Vec<Node>, env: Option<&str>) -> Loaded {
        let mut loaded = Loaded::default();
        let (mut shared, mut topologies, mut vars) = (Vec::new(), Vec::new(), Vec::new());
        for node in nodes {
            match node.name.as_str() {
                "topology" => topologies.push(node),
                "var" => vars.push(node),
                "profile" => loaded.profiles.push(node),
                _ => shared.push(node),
            }
        }
        if let [first, second, ..] = topologies.as_slice() {
            self.diagnostics.push(
                Diagnostic::error("KDL008", second.name_span, "a second `topology` in one file")
                    .related(first.name_span, "the first one")
                    .help("one file is one topology; use `cluster` for several clusters"),
            );
        }
        let Some(mut topology) = topologies.into_iter().next() else {
            if !self.diagnostics.iter().any(|d| d.severity == crate::diagnostic::Severity::Error) {
                let span = shared.first().map(|node| node.name_span);
                let help = shared
                    .first()
                    .and_then(|node| did_you_mean(&node.name, ["topology"]))
                    .filter(|help| help.starts_with("did"));
                self.diagnostics.push(Diagnostic::error("KDL005", span, "there is no `topology` node").help(
                    help.unwrap_or_else(|| {
                        "start with `topology my-name { … }`; `pronoia init` writes one".to_string()
                    }),
                ));
            }
            return loaded;
        };
        // Nodes beside the topology are defaults: they lie beneath the topology's own. A bare job goes to every Prometheus.
        let (jobs, mut children): (Vec<Node>, Vec<Node>) =
            shared.into_iter().partition(|node| node.name == "scrape");
        merge(&mut children, std::mem::take(&mut topology.children), self.diagnostics);
        self.take_environments(&mut children, env, &mut loaded, &mut vars);
        let (mut own_vars, children): (Vec<Node>, Vec<Node>) =
            children.into_iter().partition(|node| node.name == "var");
        vars.append(&mut own_vars);
        let (cluster_nodes, mut children): (Vec<Node>, Vec<Node>) =
            children.into_iter().partition(|node| node.name == "cluster");
        add_jobs(&mut children, &jobs);
        topology.children = children;
        let variables = Variables::declare(self.world, vars, self.diagnostics);
        let root =
            |name: &str, children: Vec<Node>| Node { name: name.to_string(), children, ..topology.clone() };
        repeated(&root("file", [loaded.profiles.clone(), cluster_nodes.clone()].concat()), self.diagnostics);
        for cluster in cluster_nodes {
            if let Some(mut node) = self.cluster(&topology, cluster, &jobs) {
                variables.substitute(&mut node, self.diagnostics);
                repeated(&node, self.diagnostics);
                loaded.clusters.push(node);
            }
        }
        variables.substitute(&mut topology, self.diagnostics);
        if loaded.clusters.is_empty() {
            repeated(&topology, self.diagnostics);
        }
        variables.report_unused(self.diagnostics);
        loaded.topology = Some(topology);
        loaded
    }

    fn take_environments(
        &mut self,
        children: &mut Vec<Node>,
        env: Option<&str>,
        loaded: &mut Loaded,
        vars: &mut Vec<Node>,
    ) {
        let (environments, rest): (Vec<Node>, Vec<Node>) =
            std::mem::take(children).into_iter().partition(|node| node.name == "env");
        *children = rest;
        for environment in environments {
            let Some(name) = environment.first_text().map(str::to_string) else {
                self.diagnostics.push(
                    Diagnostic::error("KDL005", environment.span, "`env` has no name")
                        .help("write `env staging { … }`"),
                );
                continue;
            };
            if env == Some(name.as_str()) {
                let (over_vars, over): (Vec<Node>, Vec<Node>) =
                    environment.children.into_iter().partition(|node| node.name == "var");
                vars.retain(|var| !over_vars.iter().any(|over| over.first_text() == var.first_text()));
                vars.extend(over_vars);
                merge(children, over, self.diagnostics);
            }
            loaded.environments.push(name);
        }
        if let Some(env) = env
            && !loaded.environments.iter().any(|name| name == env)
        {
            let known: Vec<&str> = loaded.environments.iter().map(String::as_str).collect();
            let help = did_you_mean(env, known)
                .unwrap_or_else(|| "the topology declares no environment".to_string());
            self.diagnostics.push(
                Diagnostic::error("KDL013", None, format!("there is no environment `{env}`")).help(help),
            );
        }
    }

    /// One cluster as a topology: what all clusters share, then its template, then its own nodes.
    fn cluster(&mut self, topology: &Node, cluster: Node, jobs: &[Node]) -> Option<Node> {
        let Some(name) = cluster.args.first().cloned() else {
            self.diagnostics.push(
                Diagnostic::error("KDL005", cluster.span, "`cluster` has no name")
                    .help("write `cluster eu-1 { … }`"),
            );
            return None;
        };
        let mut children = topology.children.clone();
        let mut props = topology.props.clone();
        let mut node = cluster;
        if let Some(at) = node.props.iter().position(|prop| prop.name == "uses") {
            let uses: Value = node.props.remove(at).value;
            match &uses.scalar {
                Scalar::Str(template) => match self.imports.get(template) {
                    Some(nodes) => merge(
                        &mut children,
                        nodes.iter().filter(|n| n.name != "var").cloned().collect(),
                        self.diagnostics,
                    ),
                    None => {
                        let help = did_you_mean(template, self.imports.keys().map(String::as_str))
                            .unwrap_or_else(|| {
                                format!("add `import \"lib/{template}.kdl\" as={template}` at the top")
                            });
                        let message = format!("no template `{template}` was imported");
                        self.diagnostics.push(Diagnostic::error("KDL013", uses.span, message).help(help));
                    }
                },
                other => {
                    let message = format!("expected the name of a template, found {}", other.describe());
                    let help = "write the word after `as=` of its import: uses=edge";
                    self.diagnostics.push(Diagnostic::error("KDL006", uses.span, message).help(help));
                }
            }
        }
        merge(&mut children, std::mem::take(&mut node.children), self.diagnostics);
        add_jobs(&mut children, jobs);
        for prop in node.props {
            match props.iter_mut().find(|old| old.name == prop.name) {
                Some(old) => *old = prop,
                None => props.push(prop),
            }
        }
        Some(Node { args: vec![name], props, children, ..node })
    }
}

/// Puts bare `scrape` nodes beneath the jobs that each Prometheus has of its own.
fn add_jobs(children: &mut [Node], jobs: &[Node]) {
    for prometheus in children.iter_mut().filter(|node| node.name == "prometheus") {
        for job in jobs {
            let key = |node: &Node| node.prop_text("as").or(node.first_text()).map(str::to_string);
            if !prometheus.children.iter().any(|own| own.name == "scrape" && key(own) == key(job)) {
                prometheus.children.push(job.clone());
            }
        }
    }
}
