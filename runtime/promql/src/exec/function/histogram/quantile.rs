//! `histogram_quantile` and `histogram_quantiles`.

use std::vec::IntoIter;

use prom_model::go_float;
use promql_syntax::Span;

use super::classic;
use super::groups::{Classic, Histograms, metric_name};
use super::native::{self, NanObservations};
use crate::annotations::Monotonicity;
use crate::exec::{Operator, Run, merge, scalar, text, vector};
use crate::plan::{Call, Node};
use crate::{Annotation, Held, LabelSet, QueryError, Row, Steps, Symbol};

/// Rows that are all there.
pub(crate) struct Rows {
    rows: IntoIter<Row>,
    _held: Held,
}

impl Rows {
    /// Makes one of rows with the same labels.
    pub(crate) fn merged(rows: Vec<Row>, held: Held) -> Result<Box<dyn Operator>, QueryError> {
        let rows = merge::merge_rows(rows)?.into_iter();
        Ok(Box::new(Rows { rows, _held: held }))
    }
}

impl Operator for Rows {
    fn next(&mut self, _: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        match self.rows.next() {
            Some(next) => {
                *row = next;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Makes the operator of `histogram_quantile`.
pub(crate) fn quantile(q: &Node, arg: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let quantiles = scalar(q, run)?;
    warn(&quantiles, q.span, run);
    let input = vector(arg, run)?;
    let work = Quantile { values: quantiles, label: None };
    evaluate(input, arg, vec![work], run)
}

/// Makes the operator of `histogram_quantiles`.
pub(crate) fn quantiles(call: &Call, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let [arg, label, quantiles @ ..] = call.args.as_slice() else {
        return Err(QueryError::execution("histogram_quantiles without quantiles"));
    };
    let label = text(label)?;
    let label = run.symbols.intern(label);
    let input = vector(arg, run)?;
    let mut works = Vec::with_capacity(quantiles.len());
    for q in quantiles {
        let values = scalar(q, run)?;
        warn(&values, q.span, run);
        works.push(Quantile { values, label: Some(label) });
    }
    evaluate(input, arg, works, run)
}

/// Says where a quantile is none.
fn warn(quantiles: &[f64], span: Span, run: &mut Run) {
    let mut before = None;
    for q in quantiles.iter().copied().filter(|q| !(0.0..=1.0).contains(q)) {
        if before != Some(q.to_bits()) {
            run.annotations.add(Annotation::invalid_quantile(q, span));
            before = Some(q.to_bits());
        }
    }
}

/// A quantile at each step, and the label that tells it.
struct Quantile {
    values: Vec<f64>,
    label: Option<Symbol>,
}

fn evaluate(
    mut input: Box<dyn Operator>,
    arg: &Node,
    works: Vec<Quantile>,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let mut histograms = Histograms::read(input.as_mut(), arg.span, run)?;
    let steps = arg.steps;
    // The mended buckets of a step are those of the next quantile, so all quantiles of a histogram come together.
    let mut by_quantile: Vec<Vec<Row>> = works.iter().map(|_| Vec::new()).collect();
    for native in std::mem::take(&mut histograms.native) {
        if let ([work], [rows]) = (works.as_slice(), by_quantile.as_mut_slice()) {
            let row = of_native(native, work, arg.span, run);
            work.label_and_push(row, rows, run);
            continue;
        }
        for (work, rows) in works.iter().zip(&mut by_quantile) {
            let row = of_native(native.clone(), work, arg.span, run);
            work.label_and_push(row, rows, run);
        }
    }
    for classic in std::mem::take(&mut histograms.classic) {
        run.check()?;
        let found = of_classic(&classic, &works, steps, arg.span, run);
        for ((row, work), rows) in found.into_iter().zip(&works).zip(&mut by_quantile) {
            work.label_and_push(row, rows, run);
        }
    }
    let mut held = histograms.into_held(run);
    let rows: Vec<Row> = by_quantile.into_iter().flatten().collect();
    held.resize(rows.iter().map(|row| row.column.bytes() + row.labels.bytes()).sum())?;
    Rows::merged(rows, held)
}

fn of_native(mut row: Row, work: &Quantile, span: Span, run: &mut Run) -> Row {
    let (mut no_result, mut skew) = (false, false);
    native::to_floats(&mut row.column, |step, histogram| {
        let q = work.values.get(step).copied().unwrap_or(f64::NAN);
        let (value, nan) = native::quantile(q, histogram);
        no_result |= nan == NanObservations::NoResult;
        skew |= nan == NanObservations::Skew;
        Some(value)
    });
    let name = metric_name(&row.labels, run).to_owned();
    if no_result {
        run.annotations.add(Annotation::quantile_nan_result(&name, span));
    }
    if skew {
        run.annotations.add(Annotation::quantile_nan_skew(&name, span));
    }
    row
}

/// One row per quantile.
fn of_classic(classic: &Classic, works: &[Quantile], steps: Steps, span: Span, run: &mut Run) -> Vec<Row> {
    let mut rows: Vec<Row> = works.iter().map(|_| row_of(&classic.labels, steps)).collect();
    let mut mended: Option<Monotonicity> = None;
    classic.each_step(steps.count, |step, buckets| {
        for (work, row) in works.iter().zip(&mut rows) {
            let q = work.values.get(step).copied().unwrap_or(f64::NAN);
            let (value, lifted) = classic::quantile(q, buckets);
            row.column.set_float(step, value);
            if let Some(lifted) = lifted {
                let more = Monotonicity::new(steps.time(step), lifted.bounds, lifted.max_diff);
                match &mut mended {
                    Some(known) => known.merge(&more),
                    None => mended = Some(more),
                }
            }
        }
    });
    if let Some(mended) = mended {
        let name = metric_name(&classic.labels, run);
        let annotation = Annotation::forced_monotonicity(name, span, mended);
        run.annotations.add(annotation);
    }
    rows
}

/// An empty row of a classic histogram.
pub(super) fn row_of(labels: &LabelSet, steps: Steps) -> Row {
    let mut row = Row { labels: labels.clone(), ..Row::default() };
    row.column.reset(steps.count);
    row
}

impl Quantile {
    /// Takes the name off, and adds the label of the quantile. A quantile that changes from step to step makes several rows.
    fn label_and_push(&self, mut row: Row, rows: &mut Vec<Row>, run: &mut Run) {
        if row.column.is_empty() {
            return;
        }
        run.drop_metric_name(&mut row);
        let Some(label) = self.label else { return rows.push(row) };
        let first = self.values.first().copied().unwrap_or(f64::NAN);
        if self.values.iter().all(|q| q.to_bits() == first.to_bits()) {
            set_quantile(&mut row, label, first, run);
            return rows.push(row);
        }
        let mut split: Vec<(u64, Row)> = Vec::new();
        for step in row.column.present().iter() {
            let q = self.values.get(step).copied().unwrap_or(f64::NAN);
            let at = match split.iter().position(|(bits, _)| *bits == q.to_bits()) {
                Some(at) => at,
                None => {
                    let mut part =
                        Row { labels: row.labels.clone(), drop_name: row.drop_name, ..Row::default() };
                    part.column.reset(row.column.len());
                    set_quantile(&mut part, label, q, run);
                    split.push((q.to_bits(), part));
                    split.len() - 1
                }
            };
            if let Some((_, part)) = split.get_mut(at) {
                part.column.copy_from(step, &row.column, step);
            }
        }
        rows.extend(split.into_iter().map(|(_, part)| part));
    }
}

fn set_quantile(row: &mut Row, label: Symbol, q: f64, run: &mut Run) {
    let value = run.symbols.intern(&open_metrics_float(q));
    row.labels.set(&run.symbols, label, value);
}

/// A float as OpenMetrics writes it: always recognisable as one.
fn open_metrics_float(value: f64) -> String {
    let text = if value == 0.0 { "0".to_owned() } else { go_float(value) };
    if value.is_finite() && !text.contains(['e', '.']) { text + ".0" } else { text }
}
