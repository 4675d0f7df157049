//! Series in memory, for scripts and for unit tests of rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram, Labels};

use crate::{
    SampleReader, Samples, Select, SeriesBatch, SeriesSet, SeriesSource, SourceError, Symbol, Symbols,
};

/// Series in memory. Samples of a series must be appended in the order of time; one that is not later than the last is
/// ignored.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    // The order of a vector of names and values is Prometheus' order of label sets.
    series: BTreeMap<Arc<LabelTexts>, Arc<Samples>>,
}

/// Names and values, sorted by name.
type LabelTexts = Vec<(String, String)>;

impl MemoryStorage {
    /// No series.
    pub fn new() -> Self {
        MemoryStorage::default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.series.clear();
    }

    /// Appends a float at a time, milliseconds since the epoch; counting began at `start`, 0 where that is unknown.
    pub fn push_float(&mut self, labels: &Labels, start: i64, time: i64, value: f64) {
        let samples = self.samples(labels);
        if last_time(samples).is_some_and(|last| last >= time) {
            return;
        }
        samples.push_float(time, value);
        push_start(&mut samples.start_timestamps, samples.timestamps.len(), start);
    }

    /// Appends a histogram, likewise. Its counter reset hint becomes what Prometheus' storage would give back.
    pub fn push_histogram(&mut self, labels: &Labels, start: i64, time: i64, histogram: FloatHistogram) {
        let samples = self.samples(labels);
        if last_time(samples).is_some_and(|last| last >= time) {
            return;
        }
        // A float in between ends the chunk.
        let float_is_last = samples.timestamps.last() > samples.histogram_timestamps.last();
        let previous = samples.histograms.last().filter(|_| !float_is_last);
        let hint = stored_hint(previous.map(AsRef::as_ref), &histogram);
        samples.push_histogram(time, Arc::new(FloatHistogram { counter_reset_hint: hint, ..histogram }));
        push_start(&mut samples.histogram_start_timestamps, samples.histogram_timestamps.len(), start);
    }

    /// What is stored now, to be queried; what is appended later is not seen.
    pub fn snapshot(&self) -> Arc<dyn SeriesSource> {
        Arc::new(Snapshot(
            self.series.iter().map(|(labels, samples)| (Arc::clone(labels), Arc::clone(samples))).collect(),
        ))
    }

    fn samples(&mut self, labels: &Labels) -> &mut Samples {
        let key: LabelTexts = labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect();
        Arc::make_mut(self.series.entry(Arc::new(key)).or_default())
    }
}

fn last_time(samples: &Samples) -> Option<i64> {
    samples.timestamps.last().into_iter().chain(samples.histogram_timestamps.last()).max().copied()
}

/// Start timestamps are kept from the first one that is known on.
fn push_start(starts: &mut Vec<i64>, samples: usize, start: i64) {
    if start != 0 || !starts.is_empty() {
        starts.resize(samples - 1, 0);
        starts.push(start);
    }
}

/// What a reader of chunks is told: inside a chunk of counters there is no reset, and of the first histogram of a chunk nothing
/// is known, since the chunk before it may be missing. A reset or another layout begins a chunk.
fn stored_hint(previous: Option<&FloatHistogram>, histogram: &FloatHistogram) -> CounterResetHint {
    use CounterResetHint::{CounterReset, Gauge, NotCounterReset, Unknown};
    if histogram.counter_reset_hint == Gauge {
        return Gauge;
    }
    let Some(previous) = previous.filter(|_| histogram.counter_reset_hint != CounterReset) else {
        return Unknown;
    };
    if previous.counter_reset_hint == Gauge || previous.is_stale() && !histogram.is_stale() {
        return Unknown;
    }
    if histogram.is_stale() {
        return NotCounterReset;
    }
    let changed = previous.schema != histogram.schema
        || previous.zero_threshold != histogram.zero_threshold
        || previous.custom_values != histogram.custom_values;
    let compared = FloatHistogram { counter_reset_hint: Unknown, ..histogram.clone() };
    if changed || compared.detect_reset(previous) { Unknown } else { NotCounterReset }
}

type Entry = (Arc<LabelTexts>, Arc<Samples>);

struct Snapshot(Vec<Entry>);

impl SeriesSource for Snapshot {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let found = self.0.iter().filter(|(labels, samples)| {
            let in_range = |times: &[i64]| {
                times.first().is_some_and(|first| *first <= select.max_time)
                    && times.last().is_some_and(|last| *last >= select.min_time)
            };
            select.matchers.iter().all(|matcher| matcher.matches(value_of(labels, matcher.name())))
                && (in_range(&samples.timestamps) || in_range(&samples.histogram_timestamps))
        });
        Ok(Box::new(Found(found.cloned().collect::<Vec<_>>().into_iter())))
    }
}

/// The value of a label, empty if there is none.
fn value_of<'l>(labels: &'l LabelTexts, name: &str) -> &'l str {
    labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

struct Found(std::vec::IntoIter<Entry>);

impl SeriesSet for Found {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let series: Vec<_> = self
            .0
            .by_ref()
            .take(most)
            .map(|(labels, samples)| {
                let labels = labels.iter().map(|(name, value)| (symbols.intern(name), symbols.intern(value)));
                (labels.collect(), samples)
            })
            .collect();
        Ok(if series.is_empty() { None } else { Some(Box::new(Batch(series))) })
    }
}

struct Batch(Vec<Member>);

type Member = (Vec<(Symbol, Symbol)>, Arc<Samples>);

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        self.0.get(at).map_or(&[], |(labels, _)| labels)
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader(self))
    }
}

struct Reader<'b>(&'b Batch);

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        if let Some((_, samples)) = self.0.0.get(at) {
            into.clone_from(samples);
        }
        Ok(())
    }
}
