//! Brings the series of a vector together to histograms: a native one is a series, a classic one many.

use hashbrown::HashMap;
use promql_syntax::Span;

use super::classic::{ClassicBucket, by_bound};
use crate::exec::{Operator, Run};
use crate::{Annotation, Bits, Column, Held, LabelSet, QueryError, Row, Symbol};

/// The histograms of a vector.
pub(crate) struct Histograms {
    /// The native ones, in the order of the vector.
    pub(crate) native: Vec<Row>,
    /// The classic ones, in the order in which their first buckets come.
    pub(crate) classic: Vec<Classic>,
    held: Held,
    samples: usize,
}

/// A classic histogram.
pub(crate) struct Classic {
    /// Its labels, without `le`.
    pub(crate) labels: LabelSet,
    /// Upper bounds, rising, with the counts at each step.
    series: Vec<(f64, Column)>,
    /// The steps at which there is a native histogram of the same labels too; there is no result then.
    conflicts: Option<Bits>,
}

impl Histograms {
    /// Reads a whole vector. `span` is its place.
    pub(crate) fn read(input: &mut dyn Operator, span: Span, run: &mut Run) -> Result<Self, QueryError> {
        let mut held = run.control.budget.hold("buckets of histograms");
        let (mut native, mut samples) = (Vec::new(), 0);
        let mut classic: Vec<Classic> = Vec::new();
        let mut known: HashMap<LabelSet, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            samples += row.column.count();
            run.hold_samples(row.column.count())?;
            held.grow(row.column.bytes() + row.labels.bytes())?;
            let mut row = std::mem::take(&mut row);
            if row.column.has_histograms() {
                if row.column.present().is_empty() {
                    native.push(row);
                    continue;
                }
                let mut only = row.clone();
                only.column.floats_mut().1.reset(row.column.len());
                native.push(only);
                row.column.drop_histograms();
            }
            if row.column.is_empty() {
                continue;
            }
            let label = run.symbols.text(row.labels.get(Symbol::BUCKET));
            let Some(bound) = bound(label) else {
                let annotation = Annotation::bad_bucket_label(metric_name(&row.labels, run), label, span);
                run.annotations.add(annotation);
                continue;
            };
            let mut labels = row.labels;
            labels.remove(Symbol::BUCKET);
            let at = *known.entry_ref(&labels).or_insert_with(|| {
                classic.push(Classic { labels: labels.clone(), series: Vec::new(), conflicts: None });
                classic.len() - 1
            });
            if let Some(histogram) = classic.get_mut(at) {
                histogram.series.push((bound, row.column));
            }
        }
        for histogram in &mut classic {
            histogram.series.sort_by(|(left, _), (right, _)| by_bound(*left, *right));
        }
        let mut histograms = Histograms { native, classic, held, samples };
        if !known.is_empty() {
            histograms.find_conflicts(&known, span, run);
        }
        Ok(histograms)
    }

    /// Takes out what is both native and classic at a step.
    fn find_conflicts(
        &mut self,
        known: &HashMap<LabelSet, usize, foldhash::fast::FixedState>,
        span: Span,
        run: &mut Run,
    ) {
        for native in &mut self.native {
            let classic = known.get(&native.labels).and_then(|at| self.classic.get_mut(*at));
            let Some(classic) = classic else { continue };
            let both: Vec<usize> = native
                .column
                .histograms()
                .map(|(step, _)| step)
                .filter(|step| classic.series.iter().any(|(_, column)| column.present().get(*step)))
                .collect();
            if both.is_empty() {
                continue;
            }
            let name = metric_name(&native.labels, run);
            run.annotations.add(Annotation::mixed_classic_native_histograms(name, span));
            let steps = native.column.len();
            let conflicts = classic.conflicts.get_or_insert_with(|| Bits::new(steps));
            for step in both {
                native.column.clear(step);
                conflicts.insert(step);
            }
        }
    }

    /// What is held, to be resized once the histograms are gone.
    pub(crate) fn into_held(self, run: &mut Run) -> Held {
        run.release_samples(self.samples);
        self.held
    }
}

impl Classic {
    /// Hands on the buckets of each step that has any, by rising bounds. They may be changed; the next step has its own.
    pub(crate) fn each_step(&self, steps: usize, mut then: impl FnMut(usize, &mut [ClassicBucket])) {
        let count = self.series.len();
        // Columns are read a word of steps at a time and turned, so that each is walked along once.
        let mut turned = vec![ClassicBucket { upper: 0.0, count: 0.0 }; 64 * count];
        let mut some: Vec<ClassicBucket> = Vec::with_capacity(count);
        for (word, start) in (0..steps).step_by(64).enumerate() {
            let there = |column: &Column| column.present().words().get(word).copied().unwrap_or(0);
            let any = self.series.iter().fold(0, |any, (_, column)| any | there(column));
            let all = self.series.iter().fold(any, |all, (_, column)| all & there(column));
            for (number, (upper, column)) in self.series.iter().enumerate() {
                let counts = column.floats().iter().skip(start).take(64);
                for (slot, count) in turned.iter_mut().skip(number).step_by(count.max(1)).zip(counts) {
                    *slot = ClassicBucket { upper: *upper, count: *count };
                }
            }
            for (bit, buckets) in turned.chunks_exact_mut(count.max(1)).enumerate() {
                let step = start + bit;
                let is_conflict = self.conflicts.as_ref().is_some_and(|conflicts| conflicts.get(step));
                if any >> bit & 1 == 0 || is_conflict {
                    continue;
                }
                if all >> bit & 1 == 1 {
                    then(step, buckets);
                    continue;
                }
                some.clear();
                let series = self.series.iter().zip(buckets.iter());
                some.extend(
                    series.filter(|((_, column), _)| column.present().get(step)).map(|(_, bucket)| *bucket),
                );
                then(step, &mut some);
            }
        }
    }
}

/// The metric name as annotations give it: only where names go late.
pub(crate) fn metric_name<'r>(labels: &LabelSet, run: &'r Run) -> &'r str {
    if run.options.delayed_name_removal { run.symbols.text(labels.get(Symbol::METRIC_NAME)) } else { "" }
}

/// A label `le` as a number, as Go reads one; `None` where it is none or too great for one.
fn bound(label: &str) -> Option<f64> {
    let unsigned = label.strip_prefix(['+', '-']).unwrap_or(label);
    let is_infinite = ["inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    if unsigned.eq_ignore_ascii_case("nan") && unsigned.len() != label.len() {
        return None;
    }
    let value: f64 = label.parse().ok()?;
    (value.is_finite() || value.is_nan() || is_infinite).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn bounds_are_read_as_go_reads_floats() {
        assert_eq!(bound("0.5"), Some(0.5));
        assert_eq!(bound("+Inf"), Some(f64::INFINITY));
        assert_eq!(bound("infinity"), Some(f64::INFINITY));
        assert_eq!(bound("1e3"), Some(1000.0));
        assert!(bound("NaN").is_some_and(f64::is_nan));
        for wrong in ["", "1e999", "+nan", "1_000", " 1", "abc", "0x"] {
            assert_eq!(bound(wrong), None, "{wrong:?}");
        }
    }
}
