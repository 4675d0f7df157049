//! `topk`, `bottomk` and `limitk`: some series of each group pass, at each step others. Only the best and their labels are kept.

use std::sync::Arc;

use promql_syntax::{AggregateOp, Span};

use super::grouping::Grouping;
use super::heap::{Entry, Top, best_first, push, replace_top};
use super::{Param, STEPS_AT_ONCE};
use crate::exec::{Operator, Run, constant};
use crate::plan::{Aggregate, Kind, Node};
use crate::{Annotation, Column, Held, LabelSet, Point, QueryError, Row};

use prom_model::FloatHistogram;

/// Makes the operator; refuses parameters that are no number of series.
pub(super) fn operator(
    aggregate: &Aggregate,
    node: &Node,
    param: Param,
    input: Box<dyn Operator>,
    grouping: Grouping,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    if param.max() < 1.0 {
        return Ok(Box::new(Drained(Some(input))));
    }
    if param.has_nan() {
        return Err(QueryError::execution("Parameter value is NaN"));
    }
    if param.min() <= i64::MIN as f64 {
        let shown = prom_model::go_float(param.min());
        return Err(QueryError::execution(format!("Scalar value {shown} underflows int64")));
    }
    if param.max() >= i64::MAX as f64 {
        let shown = prom_model::go_float(param.max());
        return Err(QueryError::execution(format!("Scalar value {shown} overflows int64")));
    }
    let all_in_one = aggregate.grouping.is_empty() && !aggregate.without;
    Ok(Box::new(Selected {
        input: Some(input),
        grouping,
        op: aggregate.op,
        top: if aggregate.op == AggregateOp::Bottomk { Top::Largest } else { Top::Smallest },
        span: node.span,
        most: (0..node.steps.count).map(|step| param.at(step) as i64).collect(),
        // Nothing is lost by not reading on once each step has enough: a selector has nothing more to say.
        may_stop: aggregate.op == AggregateOp::Limitk
            && all_in_one
            && matches!(aggregate.input.kind, Kind::Select(_)),
        steps: node.steps.count,
        rows: Vec::new().into_iter(),
        held: run.control.budget.hold("candidates of an aggregation"),
    }))
}

/// Whether the column has nothing but floats, and all of them stand so to the number of their step.
fn all_floats(column: &Column, numbers: &[f64], stands: impl Fn(f64, f64) -> bool) -> bool {
    let words = column.floats().chunks(64).zip(numbers.chunks(64)).zip(column.present().words());
    let mut all = !column.has_histograms() && column.floats().len() == numbers.len();
    for ((floats, numbers), present) in words {
        for (at, (float, number)) in floats.iter().zip(numbers).enumerate() {
            all &= stands(*float, *number) | (present >> at & 1 == 0);
        }
        if !all {
            return false;
        }
    }
    all
}

/// No series, but what the input has to say is said.
struct Drained(Option<Box<dyn Operator>>);

impl Operator for Drained {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(mut input) = self.0.take() {
            while input.next(run, row)? {}
        }
        constant::Nothing.next(run, row)
    }
}

struct Selected {
    input: Option<Box<dyn Operator>>,
    grouping: Grouping,
    op: AggregateOp,
    top: Top,
    span: Span,
    /// How many series pass, at each step.
    most: Vec<i64>,
    may_stop: bool,
    steps: usize,
    rows: std::vec::IntoIter<Row>,
    held: Held,
}

/// A series that is or was among the best at some step.
struct Candidate {
    labels: LabelSet,
    drop_name: bool,
    /// Of `limitk`, which takes them too.
    histograms: Vec<(u32, Arc<FloatHistogram>)>,
}

impl Operator for Selected {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(input) = self.input.take() {
            self.select(input, run)?;
        }
        match self.rows.next() {
            Some(next) => {
                *row = next;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl Selected {
    fn select(&mut self, mut input: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        // One heap per group and step.
        let mut heaps: Vec<Vec<Vec<Entry>>> = Vec::new();
        // The worst of each heap that is full, NaN for the others.
        let mut bars: Vec<Vec<f64>> = Vec::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut row = Row::default();
        let mut full_steps = 0;
        while input.next(run, &mut row)? {
            let group = self.grouping.group(&row.labels);
            if group == heaps.len() {
                heaps.push(vec![Vec::new(); self.steps]);
                bars.push(vec![f64::NAN; self.steps]);
                self.held.grow(self.steps * (size_of::<Vec<Entry>>() + size_of::<f64>()))?;
            }
            let (Some(heaps), Some(bars)) = (heaps.get_mut(group), bars.get_mut(group)) else { continue };
            if self.all_fall_short(&row.column, bars) {
                continue;
            }
            let series = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
            let mut taken = 0;
            let mut histograms = Vec::new();
            for (step, point) in row.column.points() {
                let (Some(heap), Some(&most)) = (heaps.get_mut(step), self.most.get(step)) else { continue };
                if most < 1 {
                    continue;
                }
                let before = heap.len();
                let was_taken = self.offer(heap, most, point, series, run);
                if let (Some(bar), true) = (bars.get_mut(step), heap.len() as i64 == most) {
                    *bar = heap.first().map_or(f64::NAN, |worst| worst.value);
                }
                taken += usize::from(was_taken);
                if let (Point::Histogram(histogram), true) = (point, was_taken) {
                    histograms.push((step as u32, Arc::clone(histogram)));
                }
                if step % STEPS_AT_ONCE == STEPS_AT_ONCE - 1 {
                    run.check()?;
                }
                if self.may_stop && before as i64 == most - 1 && heap.len() as i64 == most {
                    full_steps += 1;
                }
            }
            if taken > 0 {
                let (labels, drop_name) = (std::mem::take(&mut row.labels), row.drop_name);
                self.held.grow(taken * size_of::<Entry>() + labels.bytes() + size_of::<Candidate>())?;
                candidates.push(Candidate { labels, drop_name, histograms });
            }
            if self.may_stop && full_steps == self.steps {
                break;
            }
        }
        self.rows = self.assemble(heaps, candidates, run)?.into_iter();
        Ok(())
    }

    /// Whether no float of a series is better than the worst that is kept.
    fn all_fall_short(&self, column: &Column, bars: &[f64]) -> bool {
        match self.op {
            AggregateOp::Topk => all_floats(column, bars, |value, bar| value <= bar),
            AggregateOp::Bottomk => all_floats(column, bars, |value, bar| value >= bar),
            _ => false,
        }
    }

    /// Whether the value of a series is taken, maybe in place of another.
    fn offer(&self, heap: &mut Vec<Entry>, most: i64, point: Point<'_>, series: u32, run: &mut Run) -> bool {
        let value = match point {
            Point::Float(value) => value,
            Point::Histogram(_) if self.op == AggregateOp::Limitk => 0.0,
            Point::Histogram(_) => {
                let name = self.op.as_str();
                run.annotations.add(Annotation::histogram_ignored_in_aggregation(name, self.span));
                return false;
            }
        };
        let entry = Entry { value, series };
        if (heap.len() as i64) < most {
            push(heap, entry, self.top);
            return true;
        }
        let Some(worst) = heap.first().map(|worst| worst.value) else { return false };
        let is_better = match self.op {
            AggregateOp::Topk => worst < value,
            AggregateOp::Bottomk => worst > value,
            _ => return false,
        };
        if is_better || worst.is_nan() && !value.is_nan() {
            replace_top(heap, entry, self.top);
            return true;
        }
        false
    }

    /// Makes rows of what is left in the heaps, in the order in which an instant query gives them.
    fn assemble(
        &self,
        heaps: Vec<Vec<Vec<Entry>>>,
        mut candidates: Vec<Candidate>,
        run: &mut Run,
    ) -> Result<Vec<Row>, QueryError> {
        let mut place: Vec<Option<usize>> = vec![None; candidates.len()];
        let mut rows: Vec<Row> = Vec::new();
        let mut held = run.control.budget.hold("series of an aggregation");
        for (step, heap) in heaps.into_iter().flat_map(|heaps| heaps.into_iter().enumerate()) {
            let mut heap = heap;
            run.check()?;
            if self.op != AggregateOp::Limitk {
                best_first(&mut heap, self.top);
            }
            for entry in heap {
                let series = entry.series as usize;
                let (Some(place), Some(candidate)) = (place.get_mut(series), candidates.get_mut(series))
                else {
                    continue;
                };
                let at = *place.get_or_insert(rows.len());
                if at == rows.len() {
                    held.grow(self.steps * 9)?;
                    rows.push(Row {
                        labels: std::mem::take(&mut candidate.labels),
                        drop_name: candidate.drop_name,
                        column: Column::new(self.steps),
                    });
                }
                let histogram = candidate.histograms.binary_search_by_key(&(step as u32), |(step, _)| *step);
                let histogram = histogram.ok().and_then(|found| candidate.histograms.get(found));
                if let Some(row) = rows.get_mut(at) {
                    match histogram {
                        Some((_, histogram)) => row.column.set_histogram(step, Arc::clone(histogram)),
                        None => row.column.set_float(step, entry.value),
                    }
                }
            }
        }
        Ok(rows)
    }
}
