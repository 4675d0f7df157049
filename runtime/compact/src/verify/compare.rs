//! Compares a new block with its sources series by series: nothing may be missing, and nothing may be invented.

use tsdb::block::BlockReader;
use tsdb::chunk::Aggregate;

use super::series::{PlainSeries, SeriesLabels, Value, Walk, WalkError};
use crate::merge::Overlaps;

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
    /// A sample is not there.
    #[error("the sample of {0} is missing")]
    SampleMissing(i64),
    /// A sample is there that no source has at that time.
    #[error("no source has the sample of {0}")]
    SampleInvented(i64),
    /// Two samples have one time, or go back.
    #[error("the samples go back at {0}")]
    Order(i64),
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

/// Compares a block that was made by [`merge`](crate::merge::merge) with its sources. Where sources overlap in time and are
/// replicas, samples may be missing, but no series may, and each sample has to be one of a source.
///
/// # Errors
/// The first difference, or what cannot be read.
pub fn compare_merged(
    sources: &[BlockReader],
    overlaps: Overlaps,
    output: &BlockReader,
) -> Result<(), CompareError> {
    let mut walks: Vec<Walk<'_>> = sources.iter().map(Walk::new).collect::<Result<_, _>>()?;
    let mut heads: Vec<Option<PlainSeries>> = walks.iter_mut().map(Walk::next).collect::<Result<_, _>>()?;
    let mut found = Walk::new(output)?;
    loop {
        let first = heads.iter().flatten().map(|series| &series.labels).min().cloned();
        let merged = found.next()?;
        let Some(labels) = first else {
            return match merged {
                Some(extra) => differs(extra.labels, Difference::Invented),
                None => Ok(()),
            };
        };
        let Some(merged) = merged else { return differs(labels, Difference::Missing) };
        if merged.labels != labels {
            let (labels, difference) = match merged.labels < labels {
                true => (merged.labels, Difference::Invented),
                false => (labels, Difference::Missing),
            };
            return differs(labels, difference);
        }
        let mut parts: Vec<PlainSeries> = Vec::new();
        for (head, walk) in heads.iter_mut().zip(&mut walks) {
            if head.as_ref().is_some_and(|series| series.labels == labels) {
                parts.extend(std::mem::replace(head, walk.next()?));
            }
        }
        if let Err(difference) = compare_series(&parts, overlaps, &merged) {
            return differs(labels, difference);
        }
    }
}

fn differs(labels: SeriesLabels, difference: Difference) -> Result<(), CompareError> {
    Err(CompareError::Differs { labels, difference })
}

fn compare_series(parts: &[PlainSeries], overlaps: Overlaps, merged: &PlainSeries) -> Result<(), Difference> {
    rises(&merged.raw)?;
    let raw = parts.iter().flat_map(|part| &part.raw).copied().collect();
    compare_samples(raw, overlaps, &merged.raw)?;
    for aggregate in Aggregate::ALL {
        let samples: Vec<_> = parts.iter().flat_map(|part| part.aggregate(aggregate)).copied().collect();
        compare_samples(samples, overlaps, merged.aggregate(aggregate))?;
    }
    Ok(())
}

fn rises(samples: &[(i64, Value)]) -> Result<(), Difference> {
    let back = samples.iter().zip(samples.iter().skip(1)).find(|((before, _), (after, _))| before >= after);
    back.map_or(Ok(()), |(_, (time, _))| Err(Difference::Order(*time)))
}

/// The samples of all sources against those of the new block. The counter of an aggregate chunk has its last time twice, so
/// a time may come more than once on both sides.
fn compare_samples(
    mut expected: Vec<(i64, Value)>,
    overlaps: Overlaps,
    found: &[(i64, Value)],
) -> Result<(), Difference> {
    expected.sort_unstable();
    let mut sorted = found.to_vec();
    sorted.sort_unstable();
    let invented = sorted.iter().find(|sample| expected.binary_search(sample).is_err());
    if let Some((time, _)) = invented {
        return Err(Difference::SampleInvented(*time));
    }
    let is_there = |time: i64| sorted.binary_search_by_key(&time, |(time, _)| *time).is_ok();
    let missing = match overlaps {
        Overlaps::OneToOne => expected.iter().map(|(time, _)| *time).find(|time| !is_there(*time)),
        Overlaps::Penalty => expected.first().map(|(time, _)| *time).filter(|_| sorted.is_empty()),
    };
    missing.map_or(Ok(()), |time| Err(Difference::SampleMissing(time)))
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
