//! Parts of one series whose times overlap: merged as Prometheus chains them, of two samples with one time one stays.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram};
use promql::Samples;
use tsdb::block::Interval;

/// Appends all samples of a part that lies behind those that are there.
pub(super) fn append(part: &Samples, into: &mut Samples) {
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

/// Merges parts, each sorted by time. A part that has the next sample keeps the turn until another has an earlier one; what
/// follows a change of turns knows nothing of counter resets.
pub(super) fn merge(parts: &[Samples], into: &mut Samples) {
    let mut walks: Vec<Walk<'_>> =
        parts.iter().map(|samples| Walk { samples, float: 0, histogram: 0 }).collect();
    let mut last: Option<(usize, i64)> = None;
    loop {
        // The earliest; of several the one that had the turn before only if it is earlier than all others, as in a heap.
        let next = walks
            .iter()
            .enumerate()
            .filter_map(|(at, walk)| Some((walk.time()?, last.is_some_and(|(turn, _)| turn == at), at)))
            .min();
        let Some((time, same_turn, at)) = next else { return };
        let Some(walk) = walks.get_mut(at) else { return };
        if last.is_some_and(|(_, before)| before == time) {
            walk.step();
            continue;
        }
        push(walk, time, same_turn, into);
        walk.step();
        last = Some((at, time));
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
pub(super) fn delete_floats(samples: &mut Samples, from: usize, deleted: &[Interval]) {
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
