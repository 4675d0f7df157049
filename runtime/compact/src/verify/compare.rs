//! Compares two blocks series by series: a downsampled one with its source, where nothing may be missing and nothing invented, and a
//! block with one that may hold all of it.

use std::collections::{BTreeMap, BTreeSet};

use tsdb::block::BlockReader;
use tsdb::chunk::Aggregate;

use super::series::{PlainSeries, Value, Walk, WalkError};

/// What a comparison has come to, if not to agreement.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A block cannot be read.
    #[error(transparent)]
    Unreadable(#[from] WalkError),
    /// The new block is not what it should be.
    #[error("series {}: {difference}", words(labels))]
    Differs {
        /// The series.
        labels: Vec<(String, String)>,
        /// In what.
        difference: Difference,
    },
}

/// In what a series of a new block differs from that of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The new block does not have it.
    #[error("it is not in the new block")]
    Missing,
    /// No source has it.
    #[error("no source has it")]
    Invented,
    /// A sample is not in the new block, or another one in its place.
    #[error("the sample at {time} is not in the new block")]
    Sample {
        /// Its time, milliseconds.
        time: i64,
    },
    /// A window, by the time of its end, does not count the samples that the source has in it.
    #[error("the window up to {window} counts {counted} samples, the source has {expected}")]
    Count {
        /// The last millisecond of the window.
        window: i64,
        /// What the new block says.
        counted: u64,
        /// What the source has.
        expected: u64,
    },
}

fn words(labels: &[(String, String)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", labels.join(", "))
}

/// Compares a block of one window per `to` milliseconds with the one that it was made of: every window counts the samples that
/// the source has in it. Gives the number of samples that are counted.
///
/// # Errors
/// The first difference, or what cannot be read.
pub fn compare_downsampled(source: &BlockReader, to: i64, output: &BlockReader) -> Result<u64, CompareError> {
    let (mut walk, mut found) = (Walk::new(source)?, Walk::new(output)?);
    let mut total = 0u64;
    loop {
        // Series of which no sample counts are in the new block without chunks, or not at all.
        let expected = loop {
            match walk.next()? {
                Some(series) if windows_of(&series, to).is_empty() => {}
                Some(series) => break Some(series),
                None => break None,
            }
        };
        let (expected, made) = match (expected, found.next()?) {
            (None, None) => return Ok(total),
            (Some(expected), None) => return missing(expected),
            (None, Some(made)) => return invented(made),
            (Some(expected), Some(made)) if made.labels < expected.labels => return invented(made),
            (Some(expected), Some(made)) if made.labels > expected.labels => return missing(expected),
            (Some(expected), Some(made)) => (expected, made),
        };
        let (windows, counted) = (windows_of(&expected, to), counts_of(&made, to));
        if windows != counted {
            let difference = first_difference(&windows, &counted);
            return Err(CompareError::Differs { labels: expected.labels, difference });
        }
        total = windows.iter().fold(total, |sum, (_, count)| sum.saturating_add(*count));
    }
}

/// Sees whether `whole` has every sample of `part`, a block of the same resolution: each raw one bit by bit, and of aggregates each
/// window with at least as many samples as `part` counts in it. Gives how many samples and aggregates of `part` were looked for.
///
/// # Errors
/// The first sample that `whole` does not have, or what cannot be read.
pub fn compare_contained(
    part: &BlockReader,
    resolution: i64,
    whole: &BlockReader,
) -> Result<u64, CompareError> {
    let (mut walk, mut held) = (Walk::new(part)?, Walk::new(whole)?);
    let mut next = held.next()?;
    let mut total = 0u64;
    while let Some(series) = walk.next()? {
        while next.as_ref().is_some_and(|held| held.labels < series.labels) {
            next = held.next()?;
        }
        let Some(found) = next.as_ref().filter(|held| held.labels == series.labels) else {
            return missing(series);
        };
        if let Some(difference) = first_missing(&series, resolution, found) {
            return Err(CompareError::Differs { labels: series.labels, difference });
        }
        let looked_for = series.raw.len().saturating_add(series.aggregate(Aggregate::Count).len());
        total = total.saturating_add(looked_for as u64);
    }
    Ok(total)
}

fn first_missing(part: &PlainSeries, resolution: i64, whole: &PlainSeries) -> Option<Difference> {
    let raw: BTreeSet<&(i64, Value)> = whole.raw.iter().collect();
    if let Some((time, _)) = part.raw.iter().find(|sample| !raw.contains(sample)) {
        return Some(Difference::Sample { time: *time });
    }
    let counts: BTreeMap<i64, u64> = counts_of(whole, resolution).into_iter().collect();
    let counted = |window: i64| counts.get(&window).copied().unwrap_or(0);
    let windows = counts_of(part, resolution);
    let short = windows.into_iter().find(|(window, expected)| counted(*window) < *expected);
    short.map(|(window, expected)| Difference::Count { window, counted: counted(window), expected })
}

fn missing(series: PlainSeries) -> Result<u64, CompareError> {
    Err(CompareError::Differs { labels: series.labels, difference: Difference::Missing })
}

fn invented(series: PlainSeries) -> Result<u64, CompareError> {
    Err(CompareError::Differs { labels: series.labels, difference: Difference::Invented })
}

/// The windows of a series, by their last millisecond, with the number of samples that they are made of.
fn windows_of(series: &PlainSeries, to: i64) -> Vec<(i64, u64)> {
    let counted = series.raw.iter().filter(|(_, value)| value.counts()).map(|(time, _)| (*time, 1));
    let aggregated = series.aggregate(Aggregate::Count).iter().map(|(time, value)| (*time, number(*value)));
    by_window(counted.chain(aggregated), to)
}

/// The same of a block of aggregates.
fn counts_of(series: &PlainSeries, to: i64) -> Vec<(i64, u64)> {
    by_window(series.aggregate(Aggregate::Count).iter().map(|(time, value)| (*time, number(*value))), to)
}

fn number(value: Value) -> u64 {
    match value {
        // Counts are whole numbers far below 2^53.
        Value::Float(bits) => f64::from_bits(bits) as u64,
        Value::Histogram { .. } => 0,
    }
}

fn by_window(samples: impl Iterator<Item = (i64, u64)>, to: i64) -> Vec<(i64, u64)> {
    let to = to.max(1);
    let last_of = |time: i64| time.div_euclid(to).saturating_mul(to).saturating_add(to - 1);
    let mut windows: Vec<(i64, u64)> =
        samples.filter(|(_, count)| *count > 0).map(|(time, count)| (last_of(time), count)).collect();
    windows.sort_unstable();
    windows.dedup_by(|(next, more), (window, count)| {
        let same = next == window;
        if same {
            *count = count.saturating_add(*more);
        }
        same
    });
    windows
}

fn first_difference(expected: &[(i64, u64)], counted: &[(i64, u64)]) -> Difference {
    let count = |windows: &[(i64, u64)], window: i64| {
        windows.iter().find(|(end, _)| *end == window).map_or(0, |(_, count)| *count)
    };
    let windows = expected.iter().chain(counted).map(|(window, _)| *window);
    let wrong = windows.filter(|window| count(expected, *window) != count(counted, *window)).min();
    let window = wrong.unwrap_or_default();
    Difference::Count { window, counted: count(counted, window), expected: count(expected, window) }
}
