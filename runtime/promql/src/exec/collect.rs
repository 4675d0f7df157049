//! The end of the pipeline: rows become the answer.

use std::sync::{Mutex, PoisonError};

use promql_syntax::ValueType;

use super::batch::{Scan, SeriesInput, SeriesWork};
use super::select::histogram_samples;
use super::subquery::SubquerySamples;
use super::{Run, merge, scalar, text, vector};
use crate::column::histogram_bytes;
use crate::plan::{Kind, Node, RangeInput, RangeSource};
use crate::value::{InstantSample, RangeSeries};
use crate::{Column, Held, LabelSet, QueryError, QueryRange, Row, Samples, Steps, Value};

/// Evaluates the outermost node; `held` is the memory of the value.
pub(super) fn collect(
    plan: &Node,
    range: QueryRange,
    held: &mut Held,
    run: &mut Run,
) -> Result<Value, QueryError> {
    let QueryRange::Instant { time } = range else { return matrix(plan, held, run) };
    match plan.value_type {
        ValueType::Scalar => {
            let value = scalar(plan, run)?.first().copied().unwrap_or(f64::NAN);
            Ok(Value::Scalar { time, value })
        }
        ValueType::String => Ok(Value::String { time, text: text(plan)?.to_owned() }),
        ValueType::Vector => instant(plan, time, held, run),
        ValueType::Matrix => match &plan.kind {
            Kind::RangeVector(input) => range_vector(input, plan.steps, held, run),
            _ => Err(QueryError::execution("unexpected range vector")),
        },
    }
}

/// Rows of a range query, sorted by labels.
fn matrix(plan: &Node, held: &mut Held, run: &mut Run) -> Result<Value, QueryError> {
    let steps = plan.steps;
    if plan.value_type == ValueType::Scalar {
        let values = scalar(plan, run)?;
        let mut column = Column::new(steps.count);
        for (step, value) in values.into_iter().enumerate() {
            column.set_float(step, value);
        }
        let series = if steps.count == 0 { Vec::new() } else { vec![Row { column, ..Row::default() }] };
        return Ok(Value::Matrix { steps, series });
    }
    let mut rows = rows(plan, held, run)?;
    if run.options.delayed_name_removal {
        for row in rows.iter_mut().filter(|row| row.drop_name) {
            row.labels.drop_metadata();
        }
        rows = merge::merge_rows(rows)?;
    }
    let symbols = &run.symbols;
    if !rows.is_sorted_by(|a, b| a.labels.compare(&b.labels, symbols).is_le()) {
        rows.sort_by(|a, b| a.labels.compare(&b.labels, symbols));
    }
    Ok(Value::Matrix { steps, series: rows })
}

fn rows(plan: &Node, held: &mut Held, run: &mut Run) -> Result<Vec<Row>, QueryError> {
    let mut operator = vector(plan, run)?;
    let mut rows = Vec::new();
    let mut row = Row::default();
    while operator.next(run, &mut row)? {
        run.hold_samples(samples_in(&row.column))?;
        row.column.trim();
        held.grow(row.column.bytes() + row.labels.bytes() + size_of::<Row>())?;
        rows.push(std::mem::take(&mut row));
    }
    Ok(rows)
}

/// How many samples the values of a column count for.
pub(super) fn samples_in(column: &Column) -> usize {
    let histograms: u64 = column.histograms().map(|(_, histogram)| histogram_samples(histogram)).sum();
    column.present().count() + usize::try_from(histograms).unwrap_or(usize::MAX)
}

/// One value per series, in the order of evaluation.
fn instant(plan: &Node, time: i64, held: &mut Held, run: &mut Run) -> Result<Value, QueryError> {
    let mut operator = vector(plan, run)?;
    let mut samples = Vec::new();
    let mut row = Row::default();
    while operator.next(run, &mut row)? {
        run.hold_samples(samples_in(&row.column))?;
        let histogram = row.column.histogram(0).cloned();
        let of_histogram = histogram.as_deref().map_or(0, histogram_bytes);
        held.grow(row.labels.bytes() + size_of::<InstantSample>() + of_histogram)?;
        let mut labels = std::mem::take(&mut row.labels);
        if row.drop_name && run.options.delayed_name_removal {
            labels.drop_metadata();
        }
        let value = row.column.float(0).unwrap_or(0.0);
        samples.push(InstantSample { labels, value, histogram });
    }
    if run.options.delayed_name_removal {
        merge::refuse_same_labels(samples.iter().map(|sample| &sample.labels))?;
    }
    Ok(Value::Vector { time, samples })
}

/// Raw samples in a range before one step.
fn range_vector(
    input: &RangeInput,
    steps: Steps,
    held: &mut Held,
    run: &mut Run,
) -> Result<Value, QueryError> {
    let end = input.end(steps.start);
    let bounds = (end.saturating_sub(input.range), end);
    let most = run.options.samples_max;
    let found = Found { series: Vec::new(), samples: 0, most, held };
    let mut found = match &input.source {
        RangeSource::Selector(selection) => {
            let set = run.select(selection, (steps.start, steps.start), input.range)?;
            let found = Mutex::new(found);
            let extension = super::function::range::RawRange::new(input, run);
            let mut scan = Scan::new(set, Raw { bounds, found: &found, extension }, steps, run);
            let mut row = Row::default();
            while scan.next(run, &mut row)? {}
            drop(scan);
            found.into_inner().unwrap_or_else(PoisonError::into_inner)
        }
        RangeSource::Subquery { input, .. } => {
            let mut found = found;
            let above = run.tallies.enter_once(input.steps);
            let rows = SubquerySamples::new(input, run);
            run.tallies.leave(above);
            let mut rows = rows?;
            while let Some((row, samples)) = rows.next(run)? {
                let mut labels = row.labels.clone();
                if row.drop_name {
                    labels.drop_metadata();
                }
                found.keep(labels, std::mem::take(samples))?;
            }
            found
        }
    };
    run.hold_samples(usize::try_from(found.samples).unwrap_or(usize::MAX))?;
    let symbols = &run.symbols;
    found.series.sort_by(|a, b| a.labels.compare(&b.labels, symbols));
    Ok(Value::RangeVector { series: found.series })
}

/// Series with the samples of their ranges, counted as they come.
struct Found<'h> {
    series: Vec<RangeSeries>,
    samples: u64,
    /// The most samples there may be.
    most: u64,
    held: &'h mut Held,
}

impl Found<'_> {
    fn keep(&mut self, labels: LabelSet, samples: Samples) -> Result<(), QueryError> {
        self.samples = self.samples.saturating_add(samples_of(&samples));
        if self.samples > self.most {
            return Err(QueryError::TooManySamples);
        }
        self.held.grow(samples.bytes() + labels.bytes() + size_of::<RangeSeries>())?;
        self.series.push(RangeSeries { labels, samples });
        Ok(())
    }
}

/// For how many samples the samples of a series count.
fn samples_of(samples: &Samples) -> u64 {
    let histograms: u64 = samples.histograms.iter().map(|histogram| histogram_samples(histogram)).sum();
    samples.timestamps.len() as u64 + histograms
}

/// Takes the samples of a range as they are.
struct Raw<'f, 'h> {
    bounds: (i64, i64),
    found: &'f Mutex<Found<'h>>,
    extension: super::function::range::RawRange,
}

impl SeriesWork for Raw<'_, '_> {
    fn evaluate(&self, series: &mut SeriesInput<'_>, _: &mut Column) -> Result<(), QueryError> {
        series.samples.remove_stale();
        let samples = self.extension.cut(series.samples, self.bounds)?;
        if !samples.is_empty() {
            let touched = samples_of(&samples);
            series.touched.add(0, touched, touched);
            let mut labels = LabelSet::new();
            labels.assign(series.labels);
            self.found.lock().unwrap_or_else(PoisonError::into_inner).keep(labels, samples)?;
        }
        Ok(())
    }
}
