//! Operators: each node of a plan becomes one; together they are a pull pipeline of rows.
//!
//! The table of contents of the engine is [`vector`], which maps a node that has series, and [`scalar`], for those that have
//! a number per step.

mod aggregate;
mod batch;
mod binary;
mod call;
mod collect;
mod constant;
mod function;
mod histogram_sum;
mod measure;
mod merge;
mod once;
mod range;
mod reach;
mod select;
mod statistics_only;
mod stretch;
mod subquery;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use promql_syntax::ValueType;

use measure::Measures;

pub(crate) use binary::between_numbers;
pub(crate) use select::histogram_samples;

use crate::engine::EngineOptions;
use crate::plan::{Kind, Node, Selection};
use crate::stats::Tallies;
use crate::{
    Annotation, Annotations, Answer, Control, Held, LabelSet, Projection, QueryError, QueryRange, QueryStats,
    Row, Select, SeriesSet, SeriesSource, Steps, Symbol, Symbols,
};

/// Gives the series of an expression, one after another.
pub(crate) trait Operator: Send {
    /// Puts the next series into `row`; `false` at the end. The memory of the row is used again. No row is without a value
    /// at some step. Labels come in the order that Prometheus' evaluation gives for an instant query.
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError>;
}

/// What all operators of one run share.
pub(crate) struct Run {
    /// The texts of labels.
    pub(crate) symbols: Symbols,
    /// Storage.
    pub(crate) source: Arc<dyn SeriesSource>,
    /// Cancellation, deadline, memory.
    pub(crate) control: Control,
    /// How the engine evaluates.
    pub(crate) options: EngineOptions,
    /// The step of the query, 0 for an instant one.
    pub(crate) query_step: i64,
    /// The first and the last time of all selections.
    times: Option<(i64, i64)>,
    /// What is to be said.
    pub(crate) annotations: Annotations,
    /// What is counted.
    pub(crate) stats: QueryStats,
    /// Samples that are counted.
    pub(crate) tallies: Tallies,
    /// What is known of each node, where the run is analysed.
    pub(crate) measures: Option<Measures>,
    /// Whether series may become alike where they usually do not, so that more of them have to wait in memory.
    pub(crate) careful: bool,
    /// Whether the run has to be done again with care.
    pub(crate) wants_care: bool,
    /// Type and unit of each metric whose name has gone from a series.
    metadata: HashMap<Symbol, (Symbol, Symbol)>,
    /// Name, type and unit that were looked at last.
    last_metadata: Option<[Symbol; 3]>,
    /// Samples held in buffers.
    held_samples: u64,
    /// The memory of the texts of labels.
    held_symbols: Held,
    /// What is evaluated once for several places.
    shared: once::Registry,
}

impl Run {
    /// Opens a selection for the times from `first` to `last`, both of steps. `range` is 0 for an instant selector.
    pub(crate) fn select(
        &mut self,
        selection: &Selection,
        (first, last): (i64, i64),
        range: i64,
    ) -> Result<Box<dyn SeriesSet>, QueryError> {
        let lookback = self.options.lookback_delta;
        let (min_time, max_time) = reach::of_selection(selection, (first, last), range, lookback);
        let select = Select {
            matchers: selection.matchers.clone(),
            min_time,
            max_time,
            query_times: self.times.unwrap_or((min_time, max_time)),
            // With fewer labels, series that differ would look as if they had become alike.
            projection: if self.careful { Projection::All } else { selection.projection.clone() },
            step: self.query_step,
            range,
            function: selection.function,
            histogram_stats_only: selection.histogram_stats_only,
            series_only: false,
            pauses: self.control.pauses(),
        };
        let set = self.source.select(&select)?;
        if !selection.histogram_stats_only {
            return Ok(set);
        }
        // Such a selector is in no subquery, so its times are those of the query.
        let ahead = reach::ahead(selection, lookback);
        let back = reach::back(selection, range, lookback);
        let times = Steps::new(first, last, self.query_step);
        let times = times.times().map(|time| selection.time(time).saturating_add(ahead)).collect();
        let visits = statistics_only::Visits { times, back: back.saturating_add(ahead) };
        Ok(Box::new(statistics_only::Reduced { set, visits }))
    }

    /// Takes the metric's labels off a row: now, or at the end of the query where names go late.
    pub(crate) fn drop_metric_name(&mut self, row: &mut Row) {
        row.drop_name = true;
        if !self.options.delayed_name_removal {
            self.metadata_goes(&row.labels);
            row.labels.drop_metadata();
        }
    }

    /// Is told of labels before those of the metric go. Series of one name that differ in type or unit may become alike then,
    /// which nobody has prepared for unless the run is a careful one.
    pub(crate) fn metadata_goes(&mut self, labels: &LabelSet) {
        if self.careful {
            return;
        }
        let mut metadata = [Symbol::EMPTY; 3];
        for (name, value) in labels.as_slice() {
            match *name {
                Symbol::METRIC_NAME => metadata[0] = *value,
                Symbol::METRIC_TYPE => metadata[1] = *value,
                Symbol::METRIC_UNIT => metadata[2] = *value,
                _ => {}
            }
        }
        if self.last_metadata != Some(metadata) {
            let [name, kind, unit] = metadata;
            let known = *self.metadata.entry(name).or_insert((kind, unit));
            self.wants_care |= known != (kind, unit);
            self.last_metadata = Some(metadata);
        }
    }

    /// Fails where the query has to end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.wants_care {
            return Err(QueryError::execution("series became alike unexpectedly"));
        }
        self.control.check()
    }

    /// Counts samples that are held from now on; fails where they are too many.
    pub(crate) fn hold_samples(&mut self, samples: usize) -> Result<(), QueryError> {
        self.held_samples = self.held_samples.saturating_add(samples as u64);
        self.stats.samples_peak = self.stats.samples_peak.max(self.held_samples);
        if self.held_samples > self.options.samples_max { Err(QueryError::TooManySamples) } else { Ok(()) }
    }

    /// Counts samples that are held no longer.
    pub(crate) fn release_samples(&mut self, samples: usize) {
        self.held_samples = self.held_samples.saturating_sub(samples as u64);
    }

    /// Counts the memory of the texts of labels; fails where it is too much.
    pub(crate) fn hold_symbols(&mut self) -> Result<(), QueryError> {
        Ok(self.held_symbols.resize(self.symbols.bytes())?)
    }

    /// Takes over what storage had to say.
    pub(crate) fn storage_warnings(&mut self, set: &mut dyn SeriesSet) {
        for text in set.warnings() {
            self.annotations.add(Annotation::storage_warning(text));
        }
    }
}

/// Evaluates a plan.
pub(crate) fn run(
    plan: &Node,
    range: QueryRange,
    options: &EngineOptions,
    source: Arc<dyn SeriesSource>,
    control: Control,
) -> Result<Answer, QueryError> {
    let query_step = match range {
        QueryRange::Instant { .. } => 0,
        QueryRange::Range { step, .. } => step,
    };
    let attempt = |careful: bool| {
        let mut run = Run {
            symbols: Symbols::default(),
            source: Arc::clone(&source),
            control: control.clone(),
            options: options.clone(),
            query_step,
            times: reach::of_plan(plan, options.lookback_delta),
            annotations: Annotations::default(),
            stats: QueryStats::default(),
            tallies: Tallies::new(plan.steps, control.step_stats),
            measures: None,
            careful,
            wants_care: false,
            metadata: HashMap::default(),
            last_metadata: None,
            held_samples: 0,
            held_symbols: control.budget.hold("texts of labels"),
            shared: HashMap::new(),
        };
        let stopwatch = control.stopwatch.clone();
        run.measures = stopwatch.map(|stopwatch| Measures::new(plan, stopwatch, &run.control.budget));
        let mut held = run.control.budget.hold("series of the answer");
        let value = run.check().and_then(|()| collect::collect(plan, range, &mut held, &mut run));
        let value = value.and_then(|value| run.hold_symbols().map(|()| (value, held)));
        (value, run)
    };
    let (mut value, mut run) = attempt(false);
    if run.wants_care {
        (value, run) = attempt(true);
    }
    let (value, held) = value?;
    run.tallies.finish(&mut run.stats);
    run.stats.bytes_peak = run.control.budget.peak();
    let analysis = run.measures.map(Measures::into_stats);
    let (symbols, annotations, stats) = (run.symbols, run.annotations, run.stats);
    Ok(Answer { value, symbols, annotations, stats, analysis, held: [held, run.held_symbols] })
}

/// Makes the operator of a node whose value is an instant vector.
pub(crate) fn vector(node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    measure::operator(node, run, |run| operator(node, run))
}

fn operator(node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    if node.steps.count == 0 {
        return Ok(Box::new(constant::Nothing));
    }
    match &node.kind {
        Kind::Select(selection) => select::instant(selection, node.steps, select::Pick::Value, run),
        Kind::RangeCall(call) => range::call(call, node, run),
        Kind::Call(call) => call::vector(call, node, run),
        Kind::Aggregate(aggregate) => aggregate::operator(aggregate, node, run),
        Kind::Binary(binary) => binary::vector(binary, node, run),
        Kind::Negate(child) => {
            let input = vector(child, run)?;
            Ok(merge::unless_unique(Box::new(constant::Negate::new(input)), child, run))
        }
        Kind::Invariant(child) => {
            let above = run.tallies.enter_once(child.steps);
            let input = vector(child, run);
            run.tallies.leave(above);
            Ok(Box::new(constant::Repeat::new(input?, node.steps)))
        }
        Kind::Shared(shared) => once::operator(shared, run),
        Kind::RangeVector(_) | Kind::Number(_) | Kind::Text(_) => Err(QueryError::execution(format!(
            "unexpected {} where an instant vector is wanted",
            node.value_type
        ))),
    }
}

/// Evaluates a node whose value is a number at each step.
pub(crate) fn scalar(node: &Node, run: &mut Run) -> Result<Vec<f64>, QueryError> {
    let count = |values: &Result<Vec<f64>, QueryError>, stats: &mut crate::NodeStats| {
        stats.samples += values.as_ref().map_or(0, |values| values.len() as u64);
    };
    measure::measured(node, run, |run| numbers(node, run), count)
}

fn numbers(node: &Node, run: &mut Run) -> Result<Vec<f64>, QueryError> {
    debug_assert_eq!(node.value_type, ValueType::Scalar);
    match &node.kind {
        Kind::Number(number) => Ok(vec![*number; node.steps.count]),
        Kind::Invariant(child) => {
            let above = run.tallies.enter_once(child.steps);
            let first = scalar(child, run);
            run.tallies.leave(above);
            let first = first?.first().copied().unwrap_or(f64::NAN);
            Ok(vec![first; node.steps.count])
        }
        Kind::Negate(child) => Ok(scalar(child, run)?.into_iter().map(|value| -value).collect()),
        Kind::Call(call) => call::scalar_call(call, node, run),
        Kind::Binary(binary) => binary::scalar(binary, node, run),
        _ => Err(QueryError::execution(format!("unexpected {} where a scalar is wanted", node.value_type))),
    }
}

/// The text of a node that is one; functions take some arguments so.
pub(crate) fn text(node: &Node) -> Result<&str, QueryError> {
    match &node.kind {
        Kind::Text(text) => Ok(text),
        _ => Err(QueryError::execution(format!("unexpected {} where a string is wanted", node.value_type))),
    }
}
