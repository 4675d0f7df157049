//! Parts of one series whose times overlap: merged as Prometheus chains them, of two samples with one time one stays.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram};
use promql::Samples;
use tsdb::block::Interval;

/// Appends all samples of a part that lies behind those that are there.
pub(crate) fn append(part: &Samples, into: &mut Samples) {
    if !part.start_timestamps.is_empty() || !into.start_timestamps.is_empty() {
        into.start_timestamps.resize(into.timestamps.len(), 0);
        into.start_timestamps.extend_from_slice(&part.start_timestamps);
        into.start_timestamps.resize(into.timestamps.len() + part.timestamps.len(), 0);
    }
    into.timestamps.extend_from_slice(&part.timestamps);
    into.values.extend_from_slice(&part.values);
    if !part.histogram_start_timestamps.is_empty() || !into.histogram_start_timestamps.is_empty() {
        into.histogram_start_timestamps.resize(into.histogram_timestamps.len(), 0);
        into.histogram_start_timestamps.extend_from_slice(&part.histogram_start_timestamps);
        let all = into.histogram_timestamps.len() + part.histogram_timestamps.len();
        into.histogram_start_timestamps.resize(all, 0);
    }
    into.histogram_timestamps.extend_from_slice(&part.histogram_timestamps);
    into.histograms.extend(part.histograms.iter().cloned());
}

/// A part, at one of its samples.
struct Walk<'s> {
    samples: &'s Samples,
    float: usize,
    histogram: usize,
}

impl Walk<'_> {
    fn float_time(&self) -> i64 {
        self.samples.timestamps.get(self.float).copied().unwrap_or(i64::MAX)
    }

    fn histogram_time(&self) -> i64 {
        self.samples.histogram_timestamps.get(self.histogram).copied().unwrap_or(i64::MAX)
    }

    /// The time of the sample here; `None` at the end.
    fn time(&self) -> Option<i64> {
        let left = self.float < self.samples.timestamps.len()
            || self.histogram < self.samples.histogram_timestamps.len();
        left.then(|| self.float_time().min(self.histogram_time()))
    }

    fn step(&mut self) {
        if self.histogram_time() < self.float_time() {
            self.histogram += 1;
        } else {
            self.float += 1;
        }
    }
}

/// Merges parts, each sorted by time. A part that has the next sample keeps the turn until another has an earlier one, or one
/// of the same time; what follows a change of turns knows nothing of counter resets. The waiting parts are kept in a heap as
/// Go's library has it, because it decides which of two samples with the same time stays.
pub(crate) fn merge(parts: &[Samples], into: &mut Samples) {
    let mut walks: Vec<Walk<'_>> =
        parts.iter().map(|samples| Walk { samples, float: 0, histogram: 0 }).collect();
    let mut heap = Heap(Vec::new());
    for at in 1..walks.len() {
        if walks.get(at).is_some_and(|walk| walk.time().is_some()) {
            heap.push(at, &walks);
        }
    }
    let (mut current, mut started, mut changed) = (0, false, true);
    let mut last = i64::MIN;
    loop {
        // The next sample of the part that has the turn, or the turn passes on.
        loop {
            let Some(walk) = walks.get_mut(current) else { return };
            if started {
                walk.step();
            }
            started = true;
            match walk.time() {
                Some(time) if time == last => continue,
                Some(time) => match heap.first_time(&walks) {
                    None => break,
                    Some(next) if time < next => break,
                    Some(_) => heap.push(current, &walks),
                },
                None => {}
            }
            let Some(next) = heap.pop(&walks) else { return };
            (current, changed) = (next, true);
            if walks.get(current).and_then(Walk::time) != Some(last) {
                break;
            }
        }
        let Some(walk) = walks.get(current) else { return };
        let Some(time) = walk.time() else { return };
        push(walk, time, !changed, into);
        (last, changed) = (time, false);
    }
}

/// Parts by the time of their sample; the earliest first.
struct Heap(Vec<usize>);

impl Heap {
    fn time(&self, place: usize, walks: &[Walk<'_>]) -> i64 {
        self.0.get(place).and_then(|at| walks.get(*at)).and_then(Walk::time).unwrap_or(i64::MAX)
    }

    fn first_time(&self, walks: &[Walk<'_>]) -> Option<i64> {
        (!self.0.is_empty()).then(|| self.time(0, walks))
    }

    fn push(&mut self, at: usize, walks: &[Walk<'_>]) {
        self.0.push(at);
        let mut place = self.0.len() - 1;
        while place > 0 {
            let above = (place - 1) / 2;
            if self.time(place, walks) >= self.time(above, walks) {
                break;
            }
            self.0.swap(place, above);
            place = above;
        }
    }

    fn pop(&mut self, walks: &[Walk<'_>]) -> Option<usize> {
        let last = self.0.len().checked_sub(1)?;
        self.0.swap(0, last);
        let popped = self.0.pop();
        let mut place = 0;
        loop {
            let left = 2 * place + 1;
            if left >= self.0.len() {
                return popped;
            }
            let right_less = left + 1 < self.0.len() && self.time(left + 1, walks) < self.time(left, walks);
            let below = if right_less { left + 1 } else { left };
            if self.time(below, walks) >= self.time(place, walks) {
                return popped;
            }
            self.0.swap(place, below);
            place = below;
        }
    }
}

fn push(walk: &Walk<'_>, time: i64, consecutive: bool, into: &mut Samples) {
    let samples = walk.samples;
    if walk.histogram_time() < walk.float_time() {
        let Some(histogram) = samples.histograms.get(walk.histogram) else { return };
        let start = samples.histogram_start_timestamps.get(walk.histogram).copied();
        push_start(&mut into.histogram_start_timestamps, into.histogram_timestamps.len(), start);
        let keeps = consecutive || histogram.counter_reset_hint == CounterResetHint::Gauge;
        let histogram = if keeps { Arc::clone(histogram) } else { Arc::new(without_hint(histogram)) };
        into.push_histogram(time, histogram);
    } else if let Some(value) = samples.values.get(walk.float) {
        let start = samples.start_timestamps.get(walk.float).copied();
        push_start(&mut into.start_timestamps, into.timestamps.len(), start);
        into.push_float(time, *value);
    }
}

/// Adds a start timestamp behind `before` others; a list of which none is known stays empty.
fn push_start(starts: &mut Vec<i64>, before: usize, start: Option<i64>) {
    if start.is_some() || !starts.is_empty() {
        starts.resize(before, 0);
        starts.push(start.unwrap_or(0));
    }
}

fn without_hint(histogram: &FloatHistogram) -> FloatHistogram {
    FloatHistogram { counter_reset_hint: CounterResetHint::Unknown, ..histogram.clone() }
}

/// Removes the floats from a place on that were deleted.
pub(crate) fn delete_floats(samples: &mut Samples, from: usize, deleted: &[Interval]) {
    let mut kept = from;
    for at in from..samples.timestamps.len() {
        let Some(time) = samples.timestamps.get(at).copied() else { break };
        if deleted.iter().any(|interval| interval.contains(time)) {
            continue;
        }
        if kept != at {
            samples.timestamps.swap(kept, at);
            samples.values.swap(kept, at);
            if !samples.start_timestamps.is_empty() {
                samples.start_timestamps.swap(kept, at);
            }
        }
        kept += 1;
    }
    samples.timestamps.truncate(kept);
    samples.values.truncate(kept);
    samples.start_timestamps.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use CounterResetHint::{Gauge, NotCounterReset, Unknown};

    fn part(floats: &[(i64, f64)]) -> Samples {
        let mut samples = Samples::default();
        floats.iter().for_each(|(time, value)| samples.push_float(*time, *value));
        samples
    }

    fn merged(parts: &[Samples]) -> Vec<(i64, f64)> {
        let mut into = Samples::default();
        merge(parts, &mut into);
        into.timestamps.iter().copied().zip(into.values.iter().copied()).collect()
    }

    #[test]
    fn samples_of_one_time_stay_once_those_of_the_part_that_waited() {
        let (one, two) = (part(&[(1, 1.0), (2, 1.0), (3, 1.0)]), part(&[(1, 2.0), (2, 2.0), (4, 2.0)]));
        assert_eq!(merged(&[one, two]), [(1, 2.0), (2, 2.0), (3, 1.0), (4, 2.0)]);
    }

    #[test]
    fn parts_inside_of_each_other_are_sorted() {
        let (one, two) = (part(&[(1, 1.0), (10, 1.0)]), part(&[(2, 2.0), (3, 2.0)]));
        assert_eq!(merged(&[one, part(&[]), two]), [(1, 1.0), (2, 2.0), (3, 2.0), (10, 1.0)]);
    }

    #[test]
    fn a_change_of_parts_forgets_about_counter_resets() {
        let histogram =
            |hint| Arc::new(FloatHistogram { counter_reset_hint: hint, ..FloatHistogram::default() });
        let (mut one, mut two) = (Samples::default(), Samples::default());
        for time in [1, 2, 5, 6] {
            one.push_histogram(time, histogram(NotCounterReset));
        }
        two.push_histogram(3, histogram(NotCounterReset));
        two.push_histogram(7, histogram(Gauge));
        let mut into = Samples::default();
        merge(&[one, two], &mut into);
        let hints: Vec<_> = into.histograms.iter().map(|histogram| histogram.counter_reset_hint).collect();
        assert_eq!(into.histogram_timestamps, [1, 2, 3, 5, 6, 7]);
        assert_eq!(hints, [Unknown, NotCounterReset, Unknown, Unknown, NotCounterReset, Gauge]);
    }

    #[test]
    fn deleted_samples_are_gone() {
        let mut samples = part(&[(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]);
        delete_floats(
            &mut samples,
            1,
            &[Interval { min_time: 1, max_time: 2 }, Interval { min_time: 4, max_time: 9 }],
        );
        assert_eq!(samples.timestamps, [1, 3]);
        assert_eq!(samples.values, [1.0, 3.0]);
    }
}
