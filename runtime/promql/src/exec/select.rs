//! Instant selectors: the latest sample of each series, not older than the lookback delta.

use std::sync::Arc;

use prom_model::is_stale;
use promql_syntax::RangeExtension;

use super::batch::{Scan, SeriesInput, SeriesWork};
use super::range::Smooth;
use super::windows::{Pace, Reach, Windows};
use super::{Operator, Run};
use crate::plan::Selection;
use crate::{Column, QueryError, Row, Samples, Steps};

/// What is taken of the found sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// Its value.
    Value,
    /// Its time, in seconds (`timestamp()` of a selector).
    Timestamp,
    /// When its counting began, in seconds, 0 where that is unknown (`start_timestamp()` of a selector).
    StartTimestamp,
    /// Its time, in seconds, if it is a float; a histogram is an error (series of `info()`).
    InfoTimestamp,
}

/// Makes the operator of an instant selector.
pub(super) fn instant(
    selection: &Selection,
    steps: Steps,
    pick: Pick,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let set = run.select(selection, (steps.start, steps.end()), 0)?;
    if selection.extension == Some(RangeExtension::Smoothed) && pick == Pick::Value {
        let work = Smooth::new(selection, steps, run);
        return Ok(Box::new(InstantSelect(Scan::new(set, work, steps, run))));
    }
    let times = steps.times().map(|time| selection.time(time)).collect();
    let work = Latest { times, lookback: run.options.lookback_delta, pick };
    Ok(Box::new(InstantSelect(Scan::new(set, work, steps, run))))
}

struct InstantSelect<W>(Scan<W>);

impl<W: SeriesWork> Operator for InstantSelect<W> {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        self.0.next(run, row)
    }
}

struct Latest {
    /// The time that is looked at, of each step.
    times: Vec<i64>,
    lookback: i64,
    pick: Pick,
}

impl SeriesWork for Latest {
    fn evaluate(&self, series: &mut SeriesInput<'_>, out: &mut Column) -> Result<(), QueryError> {
        if series.samples.histogram_timestamps.is_empty() && self.pick != Pick::StartTimestamp {
            self.floats(series.samples, series.windows, out);
        } else {
            self.any(series, out)?;
        }
        series.touched.add_column(out);
        Ok(())
    }
}

impl Latest {
    /// Floats only.
    fn floats(&self, samples: &Samples, windows: &mut Windows, out: &mut Column) {
        let reach = Reach { ends: &self.times, back: self.lookback, ahead: 0 };
        windows.find(samples, reach);
        let (floats, present) = out.floats_mut();
        for pace in windows.paces(reach) {
            let Some(slots) = floats.get_mut(pace.step..pace.step + pace.steps) else { continue };
            present.insert_all(pace.step, pace.steps);
            latest(*pace, &samples.values, slots, |value| value);
            if slots.iter().fold(false, |found, value| found | is_stale(*value)) {
                let stale = slots.iter().enumerate().filter(|(_, value)| is_stale(**value));
                stale.for_each(|(at, _)| present.remove(pace.step + at));
            }
            if self.pick != Pick::Value {
                latest(*pace, &samples.timestamps, slots, |time| self.picked(0.0, time, || 0));
            }
        }
    }

    /// Histograms too.
    fn any(&self, series: &mut SeriesInput<'_>, out: &mut Column) -> Result<(), QueryError> {
        let samples: &Samples = series.samples;
        let (mut float, mut histogram) = (0, 0);
        for (step, time) in self.times.iter().copied().enumerate() {
            // Both are one behind the latest sample that is not after the time.
            while samples.timestamps.get(float).is_some_and(|t| *t <= time) {
                float += 1;
            }
            while samples.histogram_timestamps.get(histogram).is_some_and(|t| *t <= time) {
                histogram += 1;
            }
            let earliest = time.saturating_sub(self.lookback);
            let latest = |timestamps: &[i64], behind: usize| {
                let at = behind.checked_sub(1)?;
                timestamps.get(at).copied().filter(|t| *t > earliest).map(|t| (at, t))
            };
            let latest_float = latest(&samples.timestamps, float);
            let latest_histogram = latest(&samples.histogram_timestamps, histogram);
            match (latest_float, latest_histogram) {
                (Some((at, t)), other) if other.is_none_or(|(_, other)| other <= t) => {
                    let value = samples.values.get(at).copied().unwrap_or(f64::NAN);
                    if is_stale(value) {
                        continue;
                    }
                    let start = || samples.start_timestamps.get(at).copied().unwrap_or(0);
                    out.set_float(step, self.picked(value, t, start));
                }
                (_, Some((at, t))) => {
                    let Some(found) = samples.histograms.get(at).filter(|found| !found.is_stale()) else {
                        continue;
                    };
                    let start = || samples.histogram_start_timestamps.get(at).copied().unwrap_or(0);
                    match self.pick {
                        Pick::InfoTimestamp => {
                            let mut labels = crate::LabelSet::new();
                            labels.assign(series.labels);
                            return Err(QueryError::execution(format!(
                                "this should be an info metric, with float samples: {}",
                                labels.to_labels(series.symbols)
                            )));
                        }
                        Pick::Value => out.set_histogram(step, Arc::clone(found)),
                        _ => out.set_float(step, self.picked(0.0, t, start)),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn picked(&self, value: f64, time: i64, start: impl Fn() -> i64) -> f64 {
        match self.pick {
            Pick::Value => value,
            Pick::Timestamp | Pick::InfoTimestamp => time as f64 / 1000.0,
            Pick::StartTimestamp => start() as f64 / 1000.0,
        }
    }
}

/// Puts something of the last sample of each window into its slot.
#[inline]
fn latest<T: Copy>(pace: Pace, items: &[T], slots: &mut [f64], of: impl Fn(T) -> f64) {
    let items = items.get((pace.window.1 as usize).saturating_sub(1)..).unwrap_or_default();
    match pace.stride as usize {
        0 => slots.fill(items.first().map_or(0.0, |item| of(*item))),
        1 => slots.iter_mut().zip(items).for_each(|(slot, item)| *slot = of(*item)),
        stride => {
            slots.iter_mut().zip(items.iter().step_by(stride)).for_each(|(slot, item)| *slot = of(*item));
        }
    }
}

/// How many samples a histogram counts for.
pub(crate) fn histogram_samples(histogram: &prom_model::FloatHistogram) -> u64 {
    // Prometheus: its size in memory in units of a float sample (16 bytes), with the time.
    let spans = (histogram.positive_spans.len() + histogram.negative_spans.len()) * 8;
    let floats =
        histogram.positive_buckets.len() + histogram.negative_buckets.len() + histogram.custom_values.len();
    ((168 + spans + floats * 8 + 8) / 16) as u64
}
