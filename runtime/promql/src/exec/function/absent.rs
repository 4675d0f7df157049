//! `absent`: 1 at the steps at which a vector has nothing.

use prom_model::{MatchOp, Matcher};

use crate::exec::{Operator, Run};
use crate::plan::{Kind, Node};
use crate::{Bits, LabelSet, QueryError, Row, Symbols};

/// The labels that a selector fixes: those with exactly one matcher, an equality. A later matcher of the name takes the label
/// away again.
pub(crate) fn fixed_labels(matchers: &[Matcher], symbols: &mut Symbols) -> LabelSet {
    let mut labels = LabelSet::new();
    let mut known: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != prom_model::METRIC_NAME) {
        let name = symbols.intern(matcher.name());
        if matcher.op() == MatchOp::Equal && !known.contains(&matcher.name()) {
            let value = symbols.intern(matcher.value());
            labels.set(symbols, name, value);
            known.push(matcher.name());
        } else {
            labels.remove(name);
        }
    }
    labels
}

/// Gives one row, if there is a step without a value.
pub(crate) struct Absent {
    input: Option<Box<dyn Operator>>,
    labels: LabelSet,
    steps: usize,
    /// Whether the rest of the input may fail or have something to say, so that it has to be read in any case.
    to_the_end: bool,
}

impl Absent {
    pub(crate) fn new(input: Box<dyn Operator>, arg: &Node, run: &mut Run) -> Self {
        let labels = match &arg.kind {
            Kind::Select(selection) => fixed_labels(&selection.matchers, &mut run.symbols),
            _ => LabelSet::new(),
        };
        let to_the_end = !matches!(arg.kind, Kind::Select(_));
        Absent { input: Some(input), labels, steps: arg.steps.count, to_the_end }
    }
}

impl Operator for Absent {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let Some(mut input) = self.input.take() else { return Ok(false) };
        let mut there = Bits::new(self.steps);
        let mut found = Row::default();
        // Once there is something at each step, no other series changes that.
        while (self.to_the_end || !there.is_full()) && input.next(run, &mut found)? {
            for (all, more) in there.words_mut().iter_mut().zip(found.column.present().words()) {
                *all |= more;
            }
            for (step, _) in found.column.histograms() {
                there.insert(step);
            }
        }
        row.labels.assign(self.labels.as_slice());
        row.drop_name = false;
        row.column.reset(self.steps);
        for step in (0..self.steps).filter(|step| !there.get(*step)) {
            row.column.set_float(step, 1.0);
        }
        Ok(!row.column.is_empty())
    }
}
