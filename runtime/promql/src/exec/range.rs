//! Calls of functions over ranges: of a selector's samples, or of the values of a subquery.

use promql_syntax::{RangeExtension, Span};

use super::batch::{Scan, SeriesInput, SeriesWork};
use super::function::range::{RangeFunction, find, smooth};
use super::subquery::SubquerySamples;
use super::windows::{Reach, Windows};
use super::{Operator, Run, merge, scalar};
use crate::plan::{Node, RangeCall, RangeInput, RangeSource, Selection};
use crate::{Annotations, Column, Control, QueryError, Row, Samples, Steps, Symbol};

/// The same for all series of a call.
pub(crate) struct RangeArgs {
    /// The steps.
    pub(crate) steps: Steps,
    /// The length of the range, milliseconds.
    pub(crate) range: i64,
    /// The end of the range at each step, milliseconds; the range is open at `end - range` and closed at `end`.
    pub(crate) ends: Vec<i64>,
    /// The other arguments: one number per step each.
    pub(crate) params: Vec<Vec<f64>>,
    /// `anchored` or `smoothed`: windows then reach back by the lookback delta, for `smoothed` ahead too.
    pub(crate) extension: Option<RangeExtension>,
    /// The lookback delta, milliseconds.
    pub(crate) lookback: i64,
    /// Whether start timestamps tell of counter resets.
    pub(crate) use_start_timestamps: bool,
    /// Whether `@` gives all steps the same window.
    pub(crate) once: bool,
    /// Whether samples are values of a subquery, which are not read from storage.
    pub(crate) of_subquery: bool,
    /// Whether `__type__` tells counters.
    pub(crate) type_and_unit_labels: bool,
    /// Where the range stands.
    pub(crate) range_span: Span,
    /// Where the first of the other arguments stands; the call where there is none.
    pub(crate) param_span: Span,
}

impl RangeArgs {
    /// Where windows lie.
    pub(crate) fn reach(&self) -> Reach<'_> {
        let (back, ahead) = match self.extension {
            None => (self.range, 0),
            Some(RangeExtension::Anchored) => (self.range.saturating_add(self.lookback), 0),
            Some(RangeExtension::Smoothed) => (self.range.saturating_add(self.lookback), self.lookback),
        };
        Reach { ends: &self.ends, back, ahead }
    }

    /// One of the other arguments at a step; NaN where it is not there.
    pub(crate) fn param(&self, at: usize, step: usize) -> f64 {
        self.params.get(at).and_then(|values| values.get(step)).copied().unwrap_or(f64::NAN)
    }
}

/// One series and its windows.
pub(crate) struct RangeSeries<'a> {
    /// The samples, without stale markers.
    pub(crate) samples: &'a Samples,
    /// The window of each step.
    pub(crate) windows: &'a Windows,
    /// The metric name, empty if there is none.
    pub(crate) metric: &'a str,
    /// The label `__type__`, empty if there is none.
    pub(crate) metric_type: &'a str,
    /// What is to be said.
    pub(crate) annotations: &'a mut Annotations,
    /// Looked at where one series may take long.
    pub(crate) control: &'a Control,
}

/// Makes the operator of a call.
pub(super) fn call(call: &RangeCall, node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    if call.function.name == "absent_over_time" {
        return super::function::range::absent_over_time(call, node, run);
    }
    let operator = samples_of(call, node, run)?;
    let one_name = match &call.input.source {
        RangeSource::Selector(selection) => !run.careful && selection.metric_name().is_some(),
        RangeSource::Subquery { .. } => false,
    };
    if one_name || run.options.delayed_name_removal { Ok(operator) } else { Ok(merge::unique(operator)) }
}

/// As [`call`]; there may be series with the same labels.
pub(super) fn samples_of(
    call: &RangeCall,
    node: &Node,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let name = call.function.name;
    let calculation = calculation(call, node, run)?;
    let keeps_name = matches!(name, "last_over_time" | "first_over_time");
    let operator: Box<dyn Operator> = match &call.input.source {
        RangeSource::Selector(selection) => {
            let set = run.select(selection, (node.steps.start, node.steps.end()), call.input.range)?;
            let scan = Scan::new(set, calculation, node.steps, run);
            Box::new(OverSelector { scan, keeps_name })
        }
        RangeSource::Subquery { input, offset, .. } => {
            let part = run.tallies.current();
            let above = run.tallies.enter_subquery(input.steps, *offset, call.input.range);
            let rows = SubquerySamples::new(input, run);
            run.tallies.leave(above);
            Box::new(OverSubquery { rows: rows?, calculation, keeps_name, windows: Windows::default(), part })
        }
    };
    Ok(operator)
}

/// The function and its arguments, ready for any number of series.
pub(super) struct Calculation {
    function: &'static dyn RangeFunction,
    args: RangeArgs,
}

/// Evaluates the other arguments of a call and looks its function up.
pub(super) fn calculation(call: &RangeCall, node: &Node, run: &mut Run) -> Result<Calculation, QueryError> {
    let name = call.function.name;
    let function =
        find(name).ok_or_else(|| QueryError::execution(format!("unknown function with name \"{name}\"")))?;
    check_extension(&call.input, name)?;
    let of_subquery = matches!(call.input.source, RangeSource::Subquery { .. });
    let param_span = call.params.first().map_or(node.span, |param| param.span);
    // Prometheus names the place of the first argument. It forgets that of a subquery while it evaluates it.
    let range_span = match (name, of_subquery) {
        ("quantile_over_time", _) => param_span,
        (_, true) => Span { start: 0, end: 0 },
        (_, false) => call.input.span,
    };
    let params = call.params.iter().map(|param| scalar(param, run)).collect::<Result<_, _>>()?;
    let args = RangeArgs {
        steps: node.steps,
        range: call.input.range,
        ends: node.steps.times().map(|time| call.input.end(time)).collect(),
        params,
        extension: call.input.extension(),
        lookback: run.options.lookback_delta,
        use_start_timestamps: run.options.use_start_timestamps,
        once: call.input.is_fixed(),
        of_subquery,
        type_and_unit_labels: run.options.type_and_unit_labels,
        range_span,
        param_span,
    };
    Ok(Calculation { function, args })
}

fn check_extension(input: &RangeInput, name: &str) -> Result<(), QueryError> {
    let (word, allowed): (_, &[&str]) = match input.extension() {
        None => return Ok(()),
        Some(RangeExtension::Anchored) => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Some(RangeExtension::Smoothed) => ("smoothed", &["delta", "increase", "rate"]),
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    Err(QueryError::execution(format!("{word} modifier can only be used with: {allowed} - not with {name}")))
}

/// The values of a `smoothed` instant selector.
pub(super) struct Smooth(RangeArgs);

impl Smooth {
    pub(super) fn new(selection: &Selection, steps: Steps, run: &Run) -> Self {
        Smooth(RangeArgs {
            steps,
            range: 0,
            ends: steps.times().map(|time| selection.time(time)).collect(),
            params: Vec::new(),
            extension: Some(RangeExtension::Smoothed),
            lookback: run.options.lookback_delta,
            use_start_timestamps: false,
            once: selection.at.is_some(),
            of_subquery: false,
            type_and_unit_labels: false,
            range_span: selection.span,
            param_span: selection.span,
        })
    }
}

impl SeriesWork for Smooth {
    fn evaluate(&self, series: &mut SeriesInput<'_>, out: &mut Column) -> Result<(), QueryError> {
        on_windows(series, &self.0, |series| {
            smooth(series, &self.0, out);
            Ok(())
        })
    }
}

impl SeriesWork for Calculation {
    fn evaluate(&self, series: &mut SeriesInput<'_>, out: &mut Column) -> Result<(), QueryError> {
        on_windows(series, &self.args, |series| self.function.evaluate(series, &self.args, out))
    }
}

/// Finds the windows of a series and hands both on.
fn on_windows(
    series: &mut SeriesInput<'_>,
    args: &RangeArgs,
    then: impl FnOnce(&mut RangeSeries<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    series.samples.remove_stale();
    series.windows.find(series.samples, args.reach());
    series.windows.count(series.samples, (args.once, args.of_subquery), series.touched);
    let label = |name: Symbol| {
        let found = series.labels.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| series.symbols.text(*value))
    };
    then(&mut RangeSeries {
        samples: series.samples,
        windows: series.windows,
        metric: label(Symbol::METRIC_NAME),
        metric_type: label(Symbol::METRIC_TYPE),
        annotations: series.annotations,
        control: series.control,
    })
}

struct OverSelector {
    scan: Scan<Calculation>,
    keeps_name: bool,
}

impl Operator for OverSelector {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let found = self.scan.next(run, row)?;
        if found && !self.keeps_name {
            run.drop_metric_name(row);
        }
        Ok(found)
    }
}

struct OverSubquery {
    rows: SubquerySamples,
    calculation: Calculation,
    keeps_name: bool,
    windows: Windows,
    /// The part of the plan for which samples are counted.
    part: usize,
}

impl Operator for OverSubquery {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        loop {
            let Some((inner, samples)) = self.rows.next(run)? else { return Ok(false) };
            row.column.reset(self.calculation.args.steps.count);
            row.labels.assign(inner.labels.as_slice());
            row.drop_name = inner.drop_name;
            let mut touched = run.tallies.tally(self.part);
            let mut series = SeriesInput {
                samples,
                labels: inner.labels.as_slice(),
                symbols: &run.symbols,
                annotations: &mut run.annotations,
                touched: &mut touched,
                windows: &mut self.windows,
                control: &run.control,
            };
            self.calculation.evaluate(&mut series, &mut row.column)?;
            run.control.end()?;
            run.tallies.merge(self.part, &touched);
            if row.column.is_empty() {
                continue;
            }
            if !self.keeps_name {
                run.drop_metric_name(row);
            }
            return Ok(true);
        }
    }
}
