//! Native histograms without their buckets, where a query asks for count and sum only; counter resets, which only buckets
//! tell, become hints.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram};

use crate::{SampleReader, Samples, SeriesBatch, SeriesSet, SourceError, Symbol, Symbols};

/// At which times a selection is looked at, and how far back: as Prometheus' iterators go over the samples.
#[derive(Debug, Clone)]
pub(super) struct Visits {
    /// Rising, milliseconds.
    pub(super) times: Vec<i64>,
    /// Milliseconds.
    pub(super) back: i64,
}

impl Visits {
    /// Takes the buckets from the histograms.
    ///
    /// A sample is compared with the one before it that was looked at on the way. Where a time lies further ahead than one looks
    /// back, the samples between are skipped, and nothing is known of the next one.
    fn reduce(&self, samples: &mut Samples) {
        let mut restarts = self.restarts(samples).into_iter().peekable();
        let mut last: Option<Arc<FloatHistogram>> = None;
        for (time, histogram) in samples.histogram_timestamps.iter().zip(&mut samples.histograms) {
            while restarts.next_if(|restart| restart <= time).is_some() {
                last = None;
            }
            let hint = match (histogram.counter_reset_hint, &last) {
                (CounterResetHint::Unknown, Some(last)) if !histogram.is_stale() => {
                    if histogram.detect_reset(last) {
                        CounterResetHint::CounterReset
                    } else {
                        CounterResetHint::NotCounterReset
                    }
                }
                (hint, _) => hint,
            };
            let reduced = Arc::new(FloatHistogram {
                counter_reset_hint: hint,
                schema: histogram.schema,
                count: histogram.count,
                sum: histogram.sum,
                ..FloatHistogram::default()
            });
            let full = std::mem::replace(histogram, reduced);
            if !full.is_stale() {
                last = Some(full);
            }
        }
    }

    /// The times from which samples are looked at anew.
    fn restarts(&self, samples: &Samples) -> Vec<i64> {
        let next = |time: i64| {
            let of = |times: &[i64]| times.get(times.partition_point(|known| *known < time)).copied();
            match (of(&samples.timestamps), of(&samples.histogram_timestamps)) {
                (Some(float), Some(histogram)) => Some(float.min(histogram)),
                (float, histogram) => float.or(histogram),
            }
        };
        let mut restarts = Vec::new();
        let mut at = i64::MIN;
        for time in &self.times {
            let start = time.saturating_sub(self.back);
            if start > at {
                restarts.push(start);
            }
            match next(*time) {
                Some(found) => at = at.max(found),
                None => break,
            }
        }
        restarts
    }
}

/// Found series, whose histograms lose their buckets as they are read.
pub(super) struct Reduced {
    pub(super) set: Box<dyn SeriesSet>,
    pub(super) visits: Visits,
}

impl SeriesSet for Reduced {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let batch = self.set.next_batch(most, symbols)?;
        Ok(batch.map(|batch| Box::new(ReducedBatch { batch, visits: self.visits.clone() }) as _))
    }

    fn warnings(&mut self) -> Vec<String> {
        self.set.warnings()
    }
}

struct ReducedBatch {
    batch: Box<dyn SeriesBatch>,
    visits: Visits,
}

impl SeriesBatch for ReducedBatch {
    fn len(&self) -> usize {
        self.batch.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        self.batch.labels(at)
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(ReducedReader { reader: self.batch.reader(), visits: &self.visits })
    }
}

struct ReducedReader<'b> {
    reader: Box<dyn SampleReader + 'b>,
    visits: &'b Visits,
}

impl SampleReader for ReducedReader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        self.reader.read(at, into)?;
        if !into.histograms.is_empty() {
            self.visits.reduce(into);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prom_model::CounterResetHint::{CounterReset, NotCounterReset, Unknown};

    use super::*;

    fn hints(times: &[i64], counts: &[f64], visits: Visits) -> Vec<CounterResetHint> {
        let mut samples = Samples::default();
        for (time, count) in times.iter().zip(counts) {
            let span = prom_model::Span { offset: 0, length: 1 };
            let histogram = FloatHistogram {
                count: *count,
                positive_spans: vec![span],
                positive_buckets: vec![*count],
                ..FloatHistogram::default()
            };
            samples.push_histogram(*time, Arc::new(histogram));
        }
        visits.reduce(&mut samples);
        assert!(samples.histograms.iter().all(|histogram| histogram.positive_buckets.is_empty()));
        samples.histograms.iter().map(|histogram| histogram.counter_reset_hint).collect()
    }

    #[test]
    fn resets_become_hints() {
        let visits = Visits { times: vec![40], back: 100 };
        assert_eq!(
            hints(&[10, 20, 30, 40], &[1.0, 2.0, 1.0, 5.0], visits),
            [Unknown, NotCounterReset, CounterReset, NotCounterReset]
        );
    }

    #[test]
    fn nothing_is_known_after_a_leap() {
        // The second time is looked at from 85 on; 50 was found beyond the first.
        let visits = Visits { times: vec![40, 100], back: 15 };
        assert_eq!(
            hints(&[30, 35, 50, 90, 100], &[1.0, 2.0, 3.0, 1.0, 2.0], visits),
            [Unknown, NotCounterReset, NotCounterReset, Unknown, NotCounterReset]
        );
    }
}
