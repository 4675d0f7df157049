//! Windows of time, and how the samples of a series are divided into chunks of windows.

use std::ops::Range;

/// The samples that a chunk of windows should have at most, on average.
const WINDOWS_PER_CHUNK: i64 = 140;
/// The spacing that raw samples are taken to have; closer ones change nothing.
pub(super) const RAW_SPACING: i64 = 60_000;

/// The last millisecond of the window of a length in which a time lies.
pub(super) const fn window_end(time: i64, length: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(length)).saturating_add(length - 1)
}

/// How many chunks to make of `count` samples from `first` to `last` that are `spacing` apart, if windows have this length: by
/// the windows in that time, as far as there are samples for them.
pub(super) fn chunk_count(first: i64, last: i64, spacing: i64, length: i64, count: usize) -> usize {
    let time = last.saturating_sub(first);
    let full = (count as f64 / (time as f64 / spacing as f64)).min(1.0);
    let windows = ((time / length) as f64 * full) as i64;
    usize::try_from(windows.saturating_add(1) / (WINDOWS_PER_CHUNK + 1)).unwrap_or(0).saturating_add(1)
}

/// Divides raw samples into batches, each of which becomes a chunk: equally many samples in each, and then those that are in the
/// last window of the batch too.
pub(super) fn batches(times: &[i64], length: i64) -> impl Iterator<Item = Range<usize>> + '_ {
    let (first, last) = (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
    let size = times.len() / chunk_count(first, last, RAW_SPACING, length, times.len()) + 1;
    let mut start = 0usize;
    std::iter::from_fn(move || {
        let left = times.get(start..).filter(|left| !left.is_empty())?;
        let taken = size.min(left.len());
        let end = window_end(*left.get(taken.saturating_sub(1))?, length);
        let more = left.iter().skip(taken).take_while(|time| **time <= end).count();
        let batch = start..start + taken + more;
        start = batch.end;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_before_the_next_begins() {
        for (time, end) in [(0, 299), (299, 299), (300, 599), (-1, -1), (-300, -1), (-301, -301)] {
            assert_eq!(window_end(time, 300), end, "{time}");
        }
        assert_eq!(window_end(i64::MAX, 300), i64::MAX);
        assert_eq!(window_end(i64::MIN, 300), i64::MIN + 299);
    }

    #[test]
    fn chunks_get_140_windows_at_most() {
        let chunks =
            |windows: i64, samples: usize| chunk_count(0, windows * 300_000, 60_000, 300_000, samples);
        assert_eq!(chunks(139, 100_000), 1);
        assert_eq!(chunks(140, 100_000), 2);
        assert_eq!(chunks(280, 100_000), 2);
        assert_eq!(chunks(281, 100_000), 3);
        // A tenth of the time has samples.
        assert_eq!(chunks(281, 140), 1);
        assert_eq!(chunk_count(5, 5, 60_000, 300_000, 1), 1);
        assert_eq!(chunk_count(i64::MIN, i64::MAX, 60_000, 300_000, 2), 1);
    }

    #[test]
    fn a_window_is_never_divided() {
        let times: Vec<i64> = (0..2_000).map(|at| at * 30_000).collect();
        let all: Vec<Range<usize>> = batches(&times, 300_000).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], 0..1010);
        assert_eq!(all[1], 1010..2000);
        assert_eq!(batches(&[], 300_000).count(), 0);
        assert_eq!(batches(&[7, 7], 300_000).map(|batch| batch.len()).collect::<Vec<_>>(), [2]);
    }
}
