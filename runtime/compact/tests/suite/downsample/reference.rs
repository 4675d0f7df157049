//! Downsampling as slowly and plainly as it can be said: every window is looked for in all samples, histograms are maps of buckets.
//! Nothing of the code under test is used.

use std::collections::BTreeMap;

use prom_model::{CounterResetHint, FloatHistogram, is_stale};

/// A histogram as maps; empty buckets are not in them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dense {
    pub(crate) schema: i32,
    pub(crate) threshold: f64,
    pub(crate) zero: f64,
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) positive: BTreeMap<i64, f64>,
    pub(crate) negative: BTreeMap<i64, f64>,
    pub(crate) custom: Vec<f64>,
}

/// What a series has at a time.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Float(f64),
    Histogram(Box<FloatHistogram>),
}

/// A chunk of the source.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) floats: bool,
    pub(crate) samples: Vec<(i64, Value)>,
}

/// A chunk of windows of floats, or of histograms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Windows {
    Floats { count: Column, sum: Column, min: Column, max: Column, counter: Column },
    Histograms { gauge: bool, count: Column, sum: Vec<(i64, Dense)>, counter: Vec<(i64, Dense)> },
}

/// Times and the bits of values, so that all NaNs can be compared.
pub(crate) type Column = Vec<(i64, u64)>;

pub(crate) fn dense(histogram: &FloatHistogram) -> Dense {
    let map =
        |buckets: &mut dyn Iterator<Item = (i64, f64)>| buckets.filter(|(_, count)| *count != 0.0).collect();
    Dense {
        schema: histogram.schema,
        threshold: histogram.zero_threshold,
        zero: histogram.zero_count,
        count: histogram.count,
        sum: histogram.sum,
        positive: map(&mut histogram.positive()),
        negative: map(&mut histogram.negative()),
        custom: histogram.custom_values.clone(),
    }
}

impl Dense {
    /// Buckets of a coarser schema: of each, the one that ends where or behind it ends.
    pub(crate) fn coarser(&self, schema: i32) -> Dense {
        let mut coarse = self.clone();
        while coarse.schema > schema {
            let halve = |buckets: &BTreeMap<i64, f64>| {
                let mut half: BTreeMap<i64, f64> = BTreeMap::new();
                for (index, count) in buckets {
                    *half.entry(index.div_euclid(2) + index.rem_euclid(2)).or_default() += count;
                }
                half
            };
            coarse.positive = halve(&coarse.positive);
            coarse.negative = halve(&coarse.negative);
            coarse.schema -= 1;
        }
        coarse
    }

    /// A wider zero bucket, which takes in whole buckets.
    pub(crate) fn wider(&self, threshold: f64) -> Dense {
        let mut wide = self.clone();
        wide.threshold = threshold;
        loop {
            let bounds = |index: i64| prom_model::bucket_bounds(index, self.schema, &[]).unwrap();
            let all = wide.positive.keys().chain(wide.negative.keys()).copied();
            // A bucket that begins inside of the zero bucket goes into it.
            let Some(inside) = all.filter(|index| bounds(*index).0 < wide.threshold).min() else {
                return wide;
            };
            for side in [&mut wide.positive, &mut wide.negative] {
                wide.zero += side.remove(&inside).unwrap_or(0.0);
            }
            wide.threshold = wide.threshold.max(bounds(inside).1);
        }
    }

    fn plus(&self, other: &Dense, sign: f64) -> Dense {
        let mut sum = self.clone();
        sum.zero += sign * other.zero;
        sum.count += sign * other.count;
        sum.sum += sign * other.sum;
        for (to, from) in [(&mut sum.positive, &other.positive), (&mut sum.negative, &other.negative)] {
            for (index, count) in from {
                *to.entry(*index).or_default() += sign * count;
            }
            to.retain(|_, count| *count != 0.0);
        }
        sum
    }

    /// Whether a counter of these was reset.
    fn is_reset_since(&self, before: &Dense) -> bool {
        if self.custom.is_empty() && (self.schema > before.schema || self.threshold < before.threshold) {
            return true;
        }
        let before = if self.custom.is_empty() {
            before.coarser(self.schema).wider(self.threshold)
        } else {
            before.clone()
        };
        let less = |now: &BTreeMap<i64, f64>, before: &BTreeMap<i64, f64>| {
            before.iter().any(|(index, count)| now.get(index).copied().unwrap_or(0.0) < *count)
        };
        self.count < before.count
            || self.threshold != before.threshold
            || self.zero < before.zero
            || less(&self.positive, &before.positive)
            || less(&self.negative, &before.negative)
    }
}

fn end_of(time: i64, length: i64) -> i64 {
    (time.div_euclid(length) + 1) * length - 1
}

fn chunk_count(first: i64, last: i64, spacing: i64, length: i64, count: usize) -> usize {
    let full = (count as f64 / ((last - first) as f64 / spacing as f64)).min(1.0);
    let expected = (((last - first) / length) as f64 * full) as usize + 1;
    (1..).find(|chunks| expected / chunks <= 140).unwrap()
}

/// The windows in which there are samples, each with its samples; the last ends with the last sample.
fn windows<T: Clone>(samples: &[(i64, T)], length: i64) -> Vec<(i64, Vec<T>)> {
    let last = samples.last().map_or(0, |(time, _)| *time);
    let mut by_end: BTreeMap<i64, Vec<T>> = BTreeMap::new();
    for (time, value) in samples {
        by_end.entry(end_of(*time, length)).or_default().push(value.clone());
    }
    by_end.into_iter().map(|(end, values)| (end.min(last), values)).collect()
}

fn aggregate(samples: &[(i64, f64)], length: i64, of: impl Fn(&[f64]) -> f64) -> Column {
    windows(samples, length).into_iter().map(|(end, values)| (end, of(&values).to_bits())).collect()
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().fold(f64::MAX, |min, value| if value < &min { *value } else { min })
}

fn highest(values: &[f64]) -> f64 {
    values.iter().fold(-f64::MAX, |max, value| if value > &max { *value } else { max })
}

fn total(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

/// A counter at each of its samples, without resets.
fn running(samples: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let mut out: Vec<(i64, f64)> = Vec::new();
    for (at, (time, value)) in samples.iter().enumerate() {
        let now = match at {
            0 => *value,
            _ if *value < samples[at - 1].1 => out[at - 1].1 + value,
            _ => out[at - 1].1 + (value - samples[at - 1].1),
        };
        out.push((*time, now));
    }
    out
}

fn counter(samples: &[(i64, f64)], length: i64, last: f64) -> Column {
    let Some((first_time, first)) = samples.first() else { return Vec::new() };
    let mut column = vec![(*first_time, first.to_bits())];
    let ends = windows(&running(samples), length);
    column.extend(ends.iter().map(|(end, values)| (*end, values.last().unwrap().to_bits())));
    column.push((ends.last().unwrap().0, last.to_bits()));
    column
}

fn float_windows(batch: &[(i64, f64)], length: i64) -> Windows {
    Windows::Floats {
        count: aggregate(batch, length, |values| values.len() as f64),
        sum: aggregate(batch, length, total),
        min: aggregate(batch, length, lowest),
        max: aggregate(batch, length, highest),
        counter: counter(batch, length, batch.last().unwrap().1),
    }
}

/// All with the coarsest schema and the widest zero bucket among them.
fn alike(samples: &[(i64, FloatHistogram)]) -> Vec<(i64, Dense)> {
    let mut all: Vec<(i64, Dense)> =
        samples.iter().map(|(time, histogram)| (*time, dense(histogram))).collect();
    if all.iter().any(|(_, histogram)| !histogram.custom.is_empty() || histogram.schema == -53) {
        return all;
    }
    let schema = all.iter().map(|(_, histogram)| histogram.schema).min().unwrap_or(0);
    all.iter_mut().for_each(|(_, histogram)| *histogram = histogram.coarser(schema));
    loop {
        let widest = all.iter().map(|(_, histogram)| histogram.threshold).fold(0.0, f64::max);
        if all.iter().all(|(_, histogram)| histogram.threshold == widest) {
            return all;
        }
        for (_, histogram) in all.iter_mut().filter(|(_, histogram)| histogram.threshold != widest) {
            *histogram = histogram.wider(widest);
        }
    }
}

/// A counter of histograms at each of its samples, without resets.
fn running_histograms(samples: &[(i64, FloatHistogram)]) -> Vec<(i64, Dense)> {
    let alike = alike(samples);
    let mut out: Vec<(i64, Dense)> = Vec::new();
    for (at, (time, now)) in alike.iter().enumerate() {
        let Some((_, before)) = at.checked_sub(1).map(|before| &out[before]) else {
            out.push((*time, now.clone()));
            continue;
        };
        let reset = match samples[at].1.counter_reset_hint {
            CounterResetHint::Unknown => dense(&samples[at].1).is_reset_since(&dense(&samples[at - 1].1)),
            hint => hint == CounterResetHint::CounterReset,
        };
        let next = match reset {
            true => before.plus(now, 1.0),
            false => before.plus(now, 1.0).plus(&alike[at - 1].1, -1.0),
        };
        out.push((*time, next));
    }
    out
}

fn sums(samples: &[(i64, Dense)], length: i64) -> Vec<(i64, Dense)> {
    let add =
        |values: Vec<Dense>| values[1..].iter().fold(values[0].clone(), |sum, value| sum.plus(value, 1.0));
    windows(samples, length).into_iter().map(|(end, values)| (end, add(values))).collect()
}

fn lasts(samples: &[(i64, Dense)], length: i64) -> Vec<(i64, Dense)> {
    windows(samples, length).into_iter().map(|(end, mut values)| (end, values.pop().unwrap())).collect()
}

/// What must be the same in all histograms that become windows of one chunk.
fn family(histogram: &FloatHistogram) -> (bool, Option<Vec<u64>>) {
    let bounds = histogram.custom_values.iter().map(|bound| bound.to_bits()).collect();
    (histogram.counter_reset_hint == CounterResetHint::Gauge, (histogram.schema == -53).then_some(bounds))
}

/// Raw chunks to windows.
pub(crate) fn raw(chunks: &[Source], length: i64) -> Vec<Windows> {
    let mut out = Vec::new();
    let mut run: Vec<(i64, Value)> = Vec::new();
    let mut kind = None;
    let mut known = None;
    for chunk in chunks {
        let stale = |value: &Value| match value {
            Value::Float(value) => is_stale(*value),
            Value::Histogram(histogram) => is_stale(histogram.sum),
        };
        let mut samples: Vec<_> = chunk.samples.iter().filter(|(_, value)| !stale(value)).cloned().collect();
        let first = samples.iter_mut().find_map(|(_, value)| match value {
            Value::Histogram(histogram) if !histogram.sum.is_nan() => Some(histogram),
            _ => None,
        });
        if let Some(first) = first.filter(|first| first.counter_reset_hint != CounterResetHint::Gauge) {
            // What is said of a reset, is said of the samples before it, which do not count.
            first.counter_reset_hint = CounterResetHint::Unknown;
        }
        let of_chunk = samples.iter().find_map(|(_, value)| match value {
            Value::Histogram(histogram) => Some(family(histogram)),
            Value::Float(_) => None,
        });
        let other_kind = kind.is_some_and(|kind| kind != chunk.floats);
        let other_family = known.is_some() && of_chunk.is_some() && known != of_chunk;
        if other_kind || other_family {
            finish(&std::mem::take(&mut run), length, &mut out);
            known = None;
        }
        kind = Some(chunk.floats);
        known = of_chunk.or(known);
        run.extend(samples);
    }
    finish(&run, length, &mut out);
    out
}

fn finish(run: &[(i64, Value)], length: i64, out: &mut Vec<Windows>) {
    let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { return };
    let size = run.len() / chunk_count(*first, *last, 60_000, length, run.len()) + 1;
    let mut left = run;
    while !left.is_empty() {
        let taken = size.min(left.len());
        let end = end_of(left[taken - 1].0, length);
        let taken = taken.max(left.iter().take_while(|(time, _)| *time <= end).count());
        let (batch, behind) = left.split_at(taken);
        left = behind;
        let floats: Vec<(i64, f64)> = batch
            .iter()
            .filter_map(|(time, value)| match value {
                Value::Float(value) if !value.is_nan() => Some((*time, *value)),
                _ => None,
            })
            .collect();
        let histograms: Vec<(i64, FloatHistogram)> = batch
            .iter()
            .filter_map(|(time, value)| match value {
                Value::Histogram(histogram) if !histogram.sum.is_nan() => {
                    Some((*time, (**histogram).clone()))
                }
                _ => None,
            })
            .collect();
        if !floats.is_empty() {
            out.push(float_windows(&floats, length));
        }
        if !histograms.is_empty() {
            let counts: Vec<(i64, f64)> = histograms.iter().map(|(time, _)| (*time, 1.0)).collect();
            out.push(Windows::Histograms {
                gauge: family(&histograms[0].1).0,
                count: aggregate(&counts, length, total),
                sum: sums(&alike(&histograms), length),
                counter: lasts(&running_histograms(&histograms), length),
            });
        }
    }
}

/// Windows to wider ones.
pub(crate) fn wider(chunks: &[Windows], from: i64, length: i64) -> Vec<Windows> {
    let mut out = Vec::new();
    let key = |windows: &Windows| match windows {
        Windows::Floats { .. } => None,
        Windows::Histograms { gauge, counter, .. } => {
            let last = &counter[0].1;
            let bounds: Vec<u64> = last.custom.iter().map(|bound| bound.to_bits()).collect();
            Some((*gauge, (last.schema == -53).then_some(bounds)))
        }
    };
    for run in chunks.chunk_by(|one, next| key(one) == key(next)) {
        let counts = |windows: &Windows| match windows {
            Windows::Floats { count, .. } | Windows::Histograms { count, .. } => count.clone(),
        };
        let all: Vec<(i64, u64)> = run.iter().flat_map(counts).collect();
        let wanted = chunk_count(all[0].0, all[all.len() - 1].0, from, length, all.len());
        for batch in run.chunks((run.len() / wanted).max(1)) {
            let column = |of: fn(&Windows) -> Column| -> Vec<(i64, f64)> {
                batch.iter().flat_map(of).map(|(time, bits)| (time, f64::from_bits(bits))).collect()
            };
            let count = aggregate(
                &batch
                    .iter()
                    .flat_map(counts)
                    .map(|(time, bits)| (time, f64::from_bits(bits)))
                    .collect::<Vec<_>>(),
                length,
                total,
            );
            match &batch[0] {
                Windows::Floats { .. } => {
                    let (counter_samples, last) = read_counters(batch);
                    out.push(Windows::Floats {
                        count,
                        sum: aggregate(&column(|windows| part(windows, 1)), length, total),
                        min: aggregate(&column(|windows| part(windows, 2)), length, lowest),
                        max: aggregate(&column(|windows| part(windows, 3)), length, highest),
                        counter: counter(&counter_samples, length, last),
                    });
                }
                Windows::Histograms { gauge, .. } => {
                    let (mut all_sums, mut counters) = (Vec::new(), Vec::new());
                    for windows in batch {
                        let Windows::Histograms { sum, counter, gauge, .. } = windows else { unreachable!() };
                        all_sums.extend(
                            sum.iter().map(|(time, sum)| (*time, sparse(sum, CounterResetHint::Gauge))),
                        );
                        counters.extend(counter.iter().enumerate().map(|(at, (time, counter))| {
                            let hint = match (gauge, at) {
                                (true, _) => CounterResetHint::Gauge,
                                (false, 0) => CounterResetHint::Unknown,
                                (false, _) => CounterResetHint::NotCounterReset,
                            };
                            (*time, sparse(counter, hint))
                        }));
                    }
                    out.push(Windows::Histograms {
                        gauge: *gauge,
                        count,
                        sum: sums(&alike(&all_sums), length),
                        counter: lasts(&running_histograms(&counters), length),
                    });
                }
            }
        }
    }
    out
}

fn part(windows: &Windows, which: usize) -> Column {
    match windows {
        Windows::Floats { sum, min, max, .. } => [sum, sum, min, max][which].clone(),
        Windows::Histograms { .. } => Vec::new(),
    }
}

/// The counters of several chunks as one, each compared to the last raw value before it; and the last raw value.
pub(crate) fn read_counters(chunks: &[Windows]) -> (Vec<(i64, f64)>, f64) {
    let mut out: Vec<(i64, f64)> = Vec::new();
    let mut last = 0.0;
    for windows in chunks {
        let Windows::Floats { counter, .. } = windows else { continue };
        for (time, bits) in counter {
            let value = f64::from_bits(*bits);
            match out.last().copied() {
                _ if value.is_nan() => continue,
                Some((before, _)) if *time <= before => {}
                Some((_, total)) if value >= last => out.push((*time, total + (value - last))),
                Some((_, total)) => out.push((*time, total + value)),
                None => out.push((*time, value)),
            }
            if out.last().is_some_and(|(reached, _)| time == reached) {
                last = value;
            }
        }
    }
    (out, last)
}

/// A histogram of these buckets.
pub(crate) fn sparse(dense: &Dense, counter_reset_hint: CounterResetHint) -> FloatHistogram {
    let side = |buckets: &BTreeMap<i64, f64>| {
        let mut next = 0;
        let mut spans = Vec::new();
        for index in buckets.keys() {
            spans.push(prom_model::Span { offset: (index - next) as i32, length: 1 });
            next = index + 1;
        }
        (spans, buckets.values().copied().collect())
    };
    let ((positive_spans, positive_buckets), (negative_spans, negative_buckets)) =
        (side(&dense.positive), side(&dense.negative));
    FloatHistogram {
        counter_reset_hint,
        schema: dense.schema,
        zero_threshold: dense.threshold,
        zero_count: dense.zero,
        count: dense.count,
        sum: dense.sum,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values: dense.custom.clone(),
    }
}
