//! `label_replace` and `label_join`: labels made of other labels.

use hashbrown::{HashMap, HashSet};
use prom_model::{GoRegex, NameScheme};

use crate::exec::{Operator, Run, text};
use crate::plan::{Call, Node};
use crate::{Held, QueryError, Row, Symbol};

/// Where the new value comes from.
enum Source {
    /// The groups of a match of one label's value fill a template; a row that does not match stays as it is.
    Match { label: Symbol, regex: GoRegex, template: String },
    /// The values of several labels, with a text between them.
    Join { labels: Vec<Symbol>, separator: String },
}

/// Sets one label of each row.
pub(crate) struct Relabel {
    input: Box<dyn Operator>,
    target: Symbol,
    source: Source,
    /// New values that were made before, by the values they were made of.
    known: HashMap<Vec<Symbol>, Option<Symbol>, foldhash::fast::FixedState>,
    values: Vec<Symbol>,
    /// Hashes of the label sets given so far: two alike are for a run with care, which merges them.
    given: HashSet<u64, foldhash::fast::FixedState>,
    held: Held,
}

impl Relabel {
    /// Makes the operator of `label_replace`.
    pub(crate) fn replace(
        call: &Call,
        input: impl FnOnce(&mut Run) -> Result<Box<dyn Operator>, QueryError>,
        run: &mut Run,
    ) -> Result<Self, QueryError> {
        let [target, template, label, pattern] = texts(call.args.get(1..).unwrap_or_default())?;
        let regex = GoRegex::new(pattern).map_err(|_| {
            QueryError::execution(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        let target = label_name(target, "destination", "label_replace", run)?;
        let label = run.symbols.intern(label);
        let source = Source::Match { label, regex, template: template.to_owned() };
        Ok(Relabel::new(input(run)?, target, source, run))
    }

    /// Makes the operator of `label_join`.
    pub(crate) fn join(
        call: &Call,
        input: impl FnOnce(&mut Run) -> Result<Box<dyn Operator>, QueryError>,
        run: &mut Run,
    ) -> Result<Self, QueryError> {
        let [target, separator] = texts(call.args.get(1..3).unwrap_or_default())?;
        let sources = call.args.get(3..).unwrap_or_default();
        let labels = sources.iter().map(|source| label_name(text(source)?, "source", "label_join", run));
        let labels = labels.collect::<Result<Vec<Symbol>, QueryError>>()?;
        let target = label_name(target, "destination", "label_join", run)?;
        let source = Source::Join { labels, separator: separator.to_owned() };
        Ok(Relabel::new(input(run)?, target, source, run))
    }

    fn new(input: Box<dyn Operator>, target: Symbol, source: Source, run: &Run) -> Self {
        Relabel {
            input,
            target,
            source,
            known: HashMap::default(),
            values: Vec::new(),
            given: HashSet::default(),
            held: run.control.budget.hold("labels to be told apart"),
        }
    }

    /// The new value for a row; `None` where nothing changes.
    fn value(&mut self, row: &Row, run: &mut Run) -> Option<Symbol> {
        self.values.clear();
        match &self.source {
            Source::Match { label, .. } => self.values.push(row.labels.get(*label)),
            Source::Join { labels, .. } => {
                self.values.extend(labels.iter().map(|label| row.labels.get(*label)));
            }
        }
        if let Some(known) = self.known.get(&self.values) {
            return *known;
        }
        let made = match &self.source {
            Source::Match { regex, template, .. } => {
                let value = self.values.first().map_or("", |value| run.symbols.text(*value));
                regex.expand(value, template)
            }
            Source::Join { separator, .. } => {
                let values: Vec<&str> = self.values.iter().map(|value| run.symbols.text(*value)).collect();
                Some(values.join(separator))
            }
        };
        let made = made.map(|text| run.symbols.intern(&text));
        self.known.insert(self.values.clone(), made);
        made
    }
}

impl Operator for Relabel {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if !self.input.next(run, row)? {
            return Ok(false);
        }
        if let Some(value) = self.value(row, run) {
            row.labels.set(&run.symbols, self.target, value);
            if self.target == Symbol::METRIC_NAME {
                row.drop_name = false;
            }
        }
        if !run.careful && !run.wants_care {
            let hash = row.labels.hash_with(&foldhash::fast::FixedState::default());
            run.wants_care = !self.given.insert(hash);
            self.held.resize(self.given.allocation_size())?;
        }
        Ok(true)
    }
}

fn texts<const N: usize>(nodes: &[Node]) -> Result<[&str; N], QueryError> {
    let texts = nodes.iter().map(text).collect::<Result<Vec<&str>, QueryError>>()?;
    texts.try_into().map_err(|_| QueryError::execution("wrong number of arguments"))
}

fn label_name(name: &str, role: &str, function: &str, run: &mut Run) -> Result<Symbol, QueryError> {
    if !NameScheme::Utf8.is_valid_label_name(name) {
        return Err(QueryError::execution(format!("invalid {role} label name in {function}(): {name}")));
    }
    Ok(run.symbols.intern(name))
}
