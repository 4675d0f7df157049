//! `min`, `max`, `count` and `group`: one number per step, no order of additions to keep.

use promql_syntax::Span;

use super::fold::Fold;
use crate::exec::Run;
use crate::{Annotation, Bits, Column, QueryError, Row};

/// `min` and `max`. NaN gives way to any other value; histograms are left out.
pub(super) struct Extreme {
    span: Span,
    name: &'static str,
    /// Whether the second value replaces the first.
    replaces: fn(f64, f64) -> bool,
}

impl Extreme {
    pub(super) fn min(span: Span) -> Self {
        Extreme { span, name: "min", replaces: |known, value| known > value }
    }

    pub(super) fn max(span: Span) -> Self {
        Extreme { span, name: "max", replaces: |known, value| known < value }
    }
}

impl Fold for Extreme {
    type State = Column;

    fn start(&self, steps: usize) -> Column {
        Column::new(steps)
    }

    fn add(&self, state: &mut Column, row: &Row, run: &mut Run) -> Result<(), QueryError> {
        if row.column.has_histograms() {
            run.annotations.add(Annotation::histogram_ignored_in_aggregation(self.name, self.span));
        }
        let values = row.column.floats();
        let (known, seen) = state.floats_mut();
        for at in row.column.present().iter() {
            if let (Some(known), Some(value)) = (known.get_mut(at), values.get(at))
                && (!seen.get(at) || known.is_nan() || (self.replaces)(*known, *value))
            {
                *known = *value;
            }
        }
        union(seen, row.column.present());
        Ok(())
    }

    fn finish(&self, state: Column, out: &mut Column, _: &mut Run) -> Result<(), QueryError> {
        *out = state;
        Ok(())
    }

    fn bytes(&self, state: &Column) -> usize {
        state.bytes()
    }
}

/// `count`: floats and histograms alike.
pub(super) struct Count;

impl Fold for Count {
    type State = Vec<u32>;

    fn start(&self, steps: usize) -> Vec<u32> {
        vec![0; steps]
    }

    fn add(&self, state: &mut Vec<u32>, row: &Row, _: &mut Run) -> Result<(), QueryError> {
        for (counts, word) in state.chunks_mut(64).zip(row.column.present().words()) {
            for (at, count) in counts.iter_mut().enumerate() {
                *count += (word >> at & 1) as u32;
            }
        }
        for (at, _) in row.column.histograms() {
            if let Some(count) = state.get_mut(at) {
                *count += 1;
            }
        }
        Ok(())
    }

    fn finish(&self, state: Vec<u32>, out: &mut Column, _: &mut Run) -> Result<(), QueryError> {
        for (at, count) in state.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            out.set_float(at, f64::from(count));
        }
        Ok(())
    }

    fn bytes(&self, state: &Vec<u32>) -> usize {
        state.len() * 4
    }
}

/// `group`: 1 where there is anything.
pub(super) struct Group;

impl Fold for Group {
    type State = Bits;

    fn start(&self, steps: usize) -> Bits {
        Bits::new(steps)
    }

    fn add(&self, state: &mut Bits, row: &Row, _: &mut Run) -> Result<(), QueryError> {
        union(state, row.column.present());
        for (at, _) in row.column.histograms() {
            state.insert(at);
        }
        Ok(())
    }

    fn finish(&self, state: Bits, out: &mut Column, _: &mut Run) -> Result<(), QueryError> {
        let (floats, present) = out.floats_mut();
        floats.fill(1.0);
        *present = state;
        Ok(())
    }

    fn bytes(&self, state: &Bits) -> usize {
        state.words().len() * 8
    }
}

fn union(into: &mut Bits, more: &Bits) {
    for (into, more) in into.words_mut().iter_mut().zip(more.words()) {
        *into |= more;
    }
}
