//! Walks a tree along the schema, as Prometheus' YAML library fills its structures, and collects the problems.

mod scalar;
mod structure;

use crate::problem::PROBLEMS_MAX;
use crate::schema::Shape;
use crate::tree::{Content, Dialect, Mark, NodeId, Tree};
use crate::{FileReference, Kind, Options, Problem, Version};

/// Deeper than any tree is, unless aliases stand in each other.
const DEPTH_MAX: usize = 160;

/// A step of a path.
#[derive(Debug, Clone)]
pub(crate) enum Step<'t> {
    Field(&'t str),
    Index(usize),
}

/// The state of one check.
pub(crate) struct Checker<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(crate) options: &'t Options,
    pub(crate) dialect: Dialect,
    pub(crate) problems: Vec<Problem>,
    pub(crate) files: Vec<FileReference>,
    /// Whether problems are dropped.
    pub(crate) quiet: bool,
    path: Vec<Step<'t>>,
    decoded: u64,
    aliased: u64,
    alias_depth: usize,
    depth: usize,
    stopped: bool,
}

impl<'t> Checker<'t> {
    pub(crate) fn new(tree: &'t Tree<'t>, options: &'t Options, dialect: Dialect) -> Self {
        Checker {
            tree,
            options,
            dialect,
            problems: Vec::new(),
            files: Vec::new(),
            quiet: false,
            path: Vec::new(),
            decoded: 0,
            aliased: 0,
            alias_depth: 0,
            depth: 0,
            stopped: false,
        }
    }

    /// Records the line whose tabs Prometheus may refuse.
    pub(crate) fn doubt_tabs(&mut self) {
        if let Some(mark) = self.tree.doubtful {
            let text = "the line begins with a tab: remove it, indentation is made of spaces";
            self.push(mark, Kind::Syntax, text.to_owned(), false);
        }
    }

    /// Checks a node against what it must be.
    pub(crate) fn decode(&mut self, id: NodeId, shape: &'static Shape) {
        if self.stopped || !self.spend(id) {
            return;
        }
        self.depth += 1;
        if let Content::Alias { target, .. } = &self.tree.node(id).content {
            self.alias_depth += 1;
            self.decode(*target, shape);
            self.alias_depth -= 1;
        } else if !self.is_null(id) {
            self.decode_shape(id, shape);
        }
        self.depth -= 1;
    }

    fn decode_shape(&mut self, id: NodeId, shape: &'static Shape) {
        match shape {
            Shape::Any => {}
            Shape::Node if !self.options.at_least(Version::new(3, 3, 0)) => {}
            Shape::Struct(of) => self.decode_struct(id, of),
            Shape::List(item) => self.decode_list(id, item, None),
            Shape::Entries(of, what) => self.decode_entries(id, of, what),
            Shape::Map(key, value) => self.decode_map(id, key, value),
            _ => self.decode_scalar(id, shape),
        }
    }

    /// Counts the work: a document whose aliases blow it up is refused, by the limits of Go's library.
    fn spend(&mut self, id: NodeId) -> bool {
        self.decoded += 1;
        self.aliased += u64::from(self.alias_depth > 0);
        let (decoded, aliased) = (self.decoded as f64, self.aliased as f64);
        let (low, high) = (400_000.0, 4_000_000.0);
        let allowed = 0.99 - 0.89 * ((decoded - low) / (high - low)).clamp(0.0, 1.0);
        let problem = if self.aliased > 100 && self.decoded > 1000 && aliased / decoded > allowed {
            "aliases make the document much larger than the file: write it without them"
        } else if self.depth >= DEPTH_MAX {
            "an anchor contains itself, or aliases stand in each other too deeply"
        } else {
            return true;
        };
        self.problem_at(id, Kind::Syntax, problem);
        self.stopped = true;
        false
    }

    /// Whether the check has been given up.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Runs `inner` one step deeper in the path.
    pub(crate) fn within<R>(&mut self, step: Step<'t>, inner: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(step);
        let result = inner(self);
        self.path.pop();
        result
    }

    /// Records a problem of a node at the current path.
    pub(crate) fn problem_at(&mut self, id: NodeId, kind: Kind, message: impl Into<String>) {
        let mark = self.tree.node(id).mark;
        self.push(mark, kind, message.into(), true);
    }

    /// Records a problem that only Prometheus can be sure of.
    pub(crate) fn doubt_at(&mut self, id: NodeId, kind: Kind, message: impl Into<String>) {
        let mark = self.tree.node(id).mark;
        self.push(mark, kind, message.into(), false);
    }

    /// Whether a problem would be kept.
    pub(crate) fn has_room(&self) -> bool {
        !self.quiet && self.problems.len() < PROBLEMS_MAX
    }

    pub(crate) fn push(&mut self, mark: Mark, kind: Kind, message: String, certain: bool) {
        if !self.has_room() {
            return;
        }
        let path = self.path();
        let Mark { line, column } = mark;
        self.problems.push(Problem { path, line, column, kind, message, certain });
    }

    /// The current path as text.
    pub(crate) fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Field(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    // Keys of mappings may be anything; a path stays one line.
                    if name.len() <= 200 && !name.contains(['\n', '\r']) {
                        text.push_str(name);
                    } else {
                        text.push('?');
                    }
                }
            }
        }
        text
    }
}
