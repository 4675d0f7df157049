//! Series that became alike when labels were taken off them: an error where they have values at the same step, else one series.

use std::vec::IntoIter;

use hashbrown::HashTable;
use promql_syntax::{AggregateOp, BinaryOp, ValueType};

use super::function::{self, NameEffect};
use super::stretch::Stretch;
use super::{Operator, Run};
use crate::plan::{Kind, Node};
use crate::{Held, LabelSet, QueryError, Row};

const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// Refuses series with the same labels, whatever their steps; what Prometheus does for functions over ranges.
pub(super) fn unique(input: Box<dyn Operator>) -> Box<dyn Operator> {
    Box::new(Unique { input, seen: Seen::default() })
}

/// Makes one of series with the same labels, and refuses those with values at the same step.
pub(super) fn merged(input: Box<dyn Operator>) -> Box<dyn Operator> {
    Box::new(Merged { input: Some(input), rows: Vec::new().into_iter(), held: None, steps: 0 })
}

/// As [`merged`], in a run with care. In any other the input asks for one, should its series become alike.
pub(super) fn if_careful(input: Box<dyn Operator>, run: &Run) -> Box<dyn Operator> {
    if run.careful { merged(input) } else { input }
}

/// As [`merged`], where series of `child` may become alike when they lose their names.
pub(super) fn unless_unique(input: Box<dyn Operator>, child: &Node, run: &Run) -> Box<dyn Operator> {
    if run.options.delayed_name_removal || distinct_without_name(child, run) { input } else { merged(input) }
}

/// Whether the series of a node differ in more than their names, types and units.
///
/// Unless the run is a careful one, series of one name are taken not to have types and units; [`Run::metadata_goes`] sees to it.
pub(super) fn distinct_without_name(node: &Node, run: &Run) -> bool {
    match &node.kind {
        Kind::Select(selection) => !run.careful && selection.metric_name().is_some(),
        Kind::Aggregate(aggregate) if aggregate.op.has_param() => {
            matches!(
                aggregate.op,
                AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
            ) && distinct_without_name(&aggregate.input, run)
        }
        Kind::Aggregate(aggregate) if aggregate.without => {
            let without = |name: &str| aggregate.grouping.iter().any(|label| label == name);
            !run.careful || (without("__type__") && without("__unit__"))
        }
        Kind::Aggregate(aggregate) => {
            !aggregate.grouping.iter().any(|label| METADATA.contains(&label.as_str()))
        }
        // Their names are gone already, unless they go late.
        Kind::Negate(child) => !run.options.delayed_name_removal || distinct_without_name(child, run),
        Kind::RangeCall(call) => {
            !run.options.delayed_name_removal
                && !matches!(call.function.name, "last_over_time" | "first_over_time")
        }
        Kind::Binary(binary) => match (binary.op, binary.lhs.value_type, binary.rhs.value_type) {
            (BinaryOp::Or, ..) => false,
            (_, ValueType::Scalar, _) => distinct_without_name(&binary.rhs, run),
            _ => distinct_without_name(&binary.lhs, run),
        },
        Kind::Invariant(child) => distinct_without_name(child, run),
        Kind::Shared(shared) => distinct_without_name(&shared.child, run),
        Kind::Call(call) => {
            let arg = || call.args.first().is_some_and(|arg| distinct_without_name(arg, run));
            match function::effect_on_names(call.function.name) {
                NameEffect::Drop => !run.options.delayed_name_removal || arg(),
                NameEffect::Keep => arg(),
                NameEffect::Change => false,
            }
        }
        _ => false,
    }
}

/// The labels that go with the name of a metric.
pub(super) const METADATA: [&str; 3] = [prom_model::METRIC_NAME, "__type__", "__unit__"];

/// Label sets with a number each.
#[derive(Default)]
struct Seen {
    table: HashTable<(LabelSet, usize)>,
    hasher: foldhash::fast::FixedState,
}

impl Seen {
    /// The number that the label set was given before, or `None` after giving it `number`.
    fn insert(&mut self, labels: &LabelSet, number: usize) -> Option<usize> {
        let hash = labels.hash_with(&self.hasher);
        if let Some((_, known)) = self.table.find(hash, |(known, _)| known == labels) {
            return Some(*known);
        }
        let hasher = &self.hasher;
        self.table.insert_unique(hash, (labels.clone(), number), |(labels, _)| labels.hash_with(hasher));
        None
    }
}

struct Unique {
    input: Box<dyn Operator>,
    seen: Seen,
}

impl Operator for Unique {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let found = self.input.next(run, row)?;
        if found && self.seen.insert(&row.labels, 0).is_some() {
            return Err(QueryError::execution(SAME_LABELS));
        }
        Ok(found)
    }
}

struct Merged {
    input: Option<Box<dyn Operator>>,
    rows: IntoIter<Waiting>,
    held: Option<Held>,
    steps: usize,
}

struct Waiting {
    labels: LabelSet,
    drop_name: bool,
    values: Stretch,
}

impl Merged {
    fn read(&mut self, mut input: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        let mut held = run.control.budget.hold("series that may be alike");
        let mut rows: Vec<Waiting> = Vec::new();
        let mut seen = Seen::default();
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            self.steps = row.column.len();
            if let Some(known) = seen.insert(&row.labels, rows.len()) {
                let Some(known) = rows.get_mut(known) else { continue };
                let before = known.values.bytes();
                if known.values.meets(&row.column) {
                    return Err(QueryError::execution(SAME_LABELS));
                }
                known.values.add(&row.column);
                held.grow(known.values.bytes().saturating_sub(before))?;
                continue;
            }
            let mut values = Stretch::default();
            values.add(&row.column);
            // The labels are in the table too.
            held.grow(values.bytes() + 2 * (row.labels.bytes() + size_of::<Waiting>()))?;
            rows.push(Waiting { labels: row.labels.clone(), drop_name: row.drop_name, values });
        }
        self.rows = rows.into_iter();
        self.held = Some(held);
        Ok(())
    }
}

impl Operator for Merged {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(input) = self.input.take() {
            self.read(input, run)?;
        }
        let Some(next) = self.rows.next() else {
            self.held = None;
            return Ok(false);
        };
        row.labels = next.labels;
        row.drop_name = next.drop_name;
        row.column.reset(self.steps);
        next.values.expand(None, &mut row.column);
        Ok(true)
    }
}

/// Makes one row of those with the same labels; the first keeps its place.
pub(super) fn merge_rows(rows: Vec<Row>) -> Result<Vec<Row>, QueryError> {
    let mut seen = Seen::default();
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(known) = seen.insert(&row.labels, merged.len()) else {
            merged.push(row);
            continue;
        };
        let Some(target) = merged.get_mut(known) else { continue };
        for (step, _) in row.column.points() {
            if target.column.get(step).is_some() {
                return Err(QueryError::execution(SAME_LABELS));
            }
            target.column.copy_from(step, &row.column, step);
        }
    }
    Ok(merged)
}

/// Refuses label sets that are there twice.
pub(super) fn refuse_same_labels<'l>(sets: impl Iterator<Item = &'l LabelSet>) -> Result<(), QueryError> {
    let mut seen = Seen::default();
    for labels in sets {
        if seen.insert(labels, 0).is_some() {
            return Err(QueryError::execution(SAME_LABELS));
        }
    }
    Ok(())
}
