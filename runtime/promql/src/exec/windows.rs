//! Which samples of a series lie before each step: found by two cursors that walk over the times once, and kept for the next
//! series. Series of one target are scraped together, so it often has the very same times.

use std::cell::OnceCell;

use super::select::histogram_samples;
use crate::Samples;
use crate::stats::Tally;

/// Where windows lie; the same for all series of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// The end of the window of each step, milliseconds, included; they do not fall.
    pub(crate) ends: &'a [i64],
    /// How far a window reaches back from there, not included.
    pub(crate) back: i64,
    /// How far it reaches beyond.
    pub(crate) ahead: i64,
}

/// Which samples of a series lie in the range of each step: from the first index to before the second.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Of the floats.
    pub(crate) floats: Vec<(u32, u32)>,
    /// Of the histograms; empty where the series has none.
    pub(crate) histograms: Vec<(u32, u32)>,
    /// The times for which those of the floats were found.
    times: Vec<i64>,
    found: bool,
    paces: OnceCell<Vec<Pace>>,
    counts: OnceCell<(u64, u64)>,
}

/// Neighbouring steps that see the same: as many samples, equally far from both ends of the window, each step as many samples
/// behind the one before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The first step.
    pub(crate) step: usize,
    /// How many steps there are.
    pub(crate) steps: usize,
    /// The window of the first.
    pub(crate) window: (u32, u32),
    /// By how many samples the window moves with each step.
    pub(crate) stride: u32,
}

impl Windows {
    /// Finds the windows of a series. All series of these windows have the same reach.
    pub(crate) fn find(&mut self, samples: &Samples, reach: Reach<'_>) {
        if !self.found || self.times != samples.timestamps {
            place(&mut self.floats, &samples.timestamps, reach);
            self.times.clone_from(&samples.timestamps);
            self.found = true;
            self.paces = OnceCell::new();
            self.counts = OnceCell::new();
        }
        self.histograms.clear();
        if !samples.histogram_timestamps.is_empty() {
            place(&mut self.histograms, &samples.histogram_timestamps, reach);
        }
    }

    /// The windows that have floats. All series of these windows have the same reach.
    pub(crate) fn paces(&self, reach: Reach<'_>) -> &[Pace] {
        self.paces.get_or_init(|| paces(&self.floats, &self.times, reach.ends))
    }

    /// How many floats are in the windows, and how many if those that two share count once.
    fn float_counts(&self) -> (u64, u64) {
        *self.counts.get_or_init(|| {
            let touched = self.floats.iter().map(|(from, to)| u64::from(to - from)).sum();
            (touched, new_samples(&self.floats))
        })
    }

    /// Counts the samples of all windows; those that are in the window before too are not read again. `once` says that all
    /// windows are the same one; of a subquery nothing is read from storage.
    pub(crate) fn count(&self, samples: &Samples, (once, of_subquery): (bool, bool), tally: &mut Tally) {
        let is_read = |step: usize| !of_subquery && (step == 0 || !once);
        if self.histograms.is_empty() && !tally.has_steps() {
            let (touched, new) = self.float_counts();
            let read = match self.floats.first() {
                Some((from, to)) if once => u64::from(to - from),
                _ => new,
            };
            return tally.add(0, touched, if of_subquery { 0 } else { read });
        }
        let mut sizes = vec![0];
        if !self.histograms.is_empty() {
            sizes.extend(samples.histograms.iter().scan(0, |sum, histogram| {
                *sum += histogram_samples(histogram);
                Some(*sum)
            }));
        }
        let size = |from: u32, to: u32| {
            let upto = |at: u32| sizes.get(at as usize).copied().unwrap_or(0);
            upto(to) - upto(from)
        };
        let (mut float_before, mut histogram_before) = (0, 0);
        for (step, (from, to)) in self.floats.iter().copied().enumerate() {
            let (histogram_from, histogram_to) = self.histograms.get(step).copied().unwrap_or((0, 0));
            let touched = u64::from(to - from) + size(histogram_from, histogram_to);
            let read = u64::from(to - from.max(float_before).min(to))
                + size(histogram_from.max(histogram_before).min(histogram_to), histogram_to);
            tally.add(step, touched, if is_read(step) { read } else { 0 });
            (float_before, histogram_before) = (to, histogram_to);
        }
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        (self.floats.capacity() + self.histograms.capacity() + self.times.capacity()) * 8
            + self.paces.get().map_or(0, |paces| paces.capacity() * size_of::<Pace>())
    }
}

/// How many samples are in windows, those that two share counted once.
fn new_samples(windows: &[(u32, u32)]) -> u64 {
    let mut before = 0;
    let new = windows.iter().map(|&(from, to)| {
        let new = to - from.max(before).min(to);
        before = to;
        u64::from(new)
    });
    new.sum()
}

fn paces(windows: &[(u32, u32)], times: &[i64], ends: &[i64]) -> Vec<Pace> {
    let mut paces: Vec<Pace> = Vec::new();
    // Of the step before: its window, and how far its first and last samples are from the end of it.
    let mut before: Option<((u32, u32), (i64, i64))> = None;
    for (step, (&(from, to), end)) in windows.iter().zip(ends).enumerate() {
        let last = (to as usize).checked_sub(1).and_then(|last| times.get(last));
        let (Some(first), Some(last), true) = (times.get(from as usize), last, from < to) else {
            before = None;
            continue;
        };
        let distances = (end.wrapping_sub(*first), end.wrapping_sub(*last));
        let moved = before.filter(|(_, known)| *known == distances).and_then(|((earlier, until), _)| {
            let stride = from.checked_sub(earlier)?;
            (to.checked_sub(until) == Some(stride)).then_some(stride)
        });
        before = Some(((from, to), distances));
        if let (Some(stride), Some(pace)) = (moved, paces.last_mut())
            && (pace.steps == 1 || pace.stride == stride)
        {
            pace.steps += 1;
            pace.stride = stride;
            continue;
        }
        paces.push(Pace { step, steps: 1, window: (from, to), stride: 0 });
    }
    paces
}

impl Pace {
    /// The same in pieces of at most so many steps.
    pub(crate) fn pieces(self, most: usize) -> impl Iterator<Item = Pace> {
        (0..self.steps).step_by(most).map(move |done| {
            let moved = self.stride.saturating_mul(u32::try_from(done).unwrap_or(u32::MAX));
            let window = (self.window.0.saturating_add(moved), self.window.1.saturating_add(moved));
            Pace { step: self.step + done, steps: (self.steps - done).min(most), window, ..self }
        })
    }

    /// From the first sample of its windows to behind the last.
    pub(crate) fn all(self) -> (u32, u32) {
        let moved =
            self.stride.saturating_mul(u32::try_from(self.steps.saturating_sub(1)).unwrap_or(u32::MAX));
        (self.window.0, self.window.1.saturating_add(moved))
    }

    /// The windows of all its steps.
    pub(crate) fn windows(self) -> impl Iterator<Item = (u32, u32)> {
        let moved = move |by: u32| (self.window.0.saturating_add(by), self.window.1.saturating_add(by));
        (0..self.steps).scan(0_u32, move |by, _| {
            let window = moved(*by);
            *by = by.saturating_add(self.stride);
            Some(window)
        })
    }
}

/// Two cursors walk over the times once.
fn place(windows: &mut Vec<(u32, u32)>, timestamps: &[i64], reach: Reach<'_>) {
    windows.clear();
    let (mut from, mut to) = (Cursor::default(), Cursor::default());
    windows.extend(reach.ends.iter().map(|end| {
        let (open_start, end) = (end.saturating_sub(reach.back), end.saturating_add(reach.ahead));
        (from.pass(timestamps, open_start), to.pass(timestamps, end))
    }));
}

/// Stands behind the samples that are not after a time.
#[derive(Default)]
struct Cursor {
    at: usize,
    /// How many samples it passed last.
    stride: usize,
}

impl Cursor {
    /// Passes the samples that are not after `time`, which must not fall; gives how many there are from the start.
    #[inline]
    fn pass(&mut self, timestamps: &[i64], time: i64) -> u32 {
        // Scrapes and steps are regular: mostly it is as many samples as before.
        let guess = self.at + self.stride;
        let fits = guess <= timestamps.len()
            && timestamps.get(guess.wrapping_sub(1)).is_none_or(|last| *last <= time)
            && timestamps.get(guess).is_none_or(|next| *next > time);
        if fits {
            self.at = guess;
        } else {
            self.gallop(timestamps, time);
        }
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    fn gallop(&mut self, timestamps: &[i64], time: i64) {
        let (mut low, mut width) = (self.at, 1);
        while timestamps.get(low + width - 1).is_some_and(|at| *at <= time) {
            low += width;
            width *= 2;
        }
        let high = (low + width - 1).min(timestamps.len());
        low += timestamps.get(low..high).unwrap_or(&[]).partition_point(|at| *at <= time);
        self.stride = low - self.at;
        self.at = low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows as each step would look for them alone.
    fn alone(times: &[i64], reach: Reach<'_>) -> Vec<(u32, u32)> {
        let before = |time: i64| times.iter().filter(|at| **at <= time).count() as u32;
        reach.ends.iter().map(|end| (before(end - reach.back), before(end + reach.ahead))).collect()
    }

    /// Times that lie `interval` apart, but for one in so many, which is missing or late.
    fn scraped(seed: &mut u64, interval: i64, rare: u64) -> Vec<i64> {
        let mut times = Vec::new();
        for at in 0..200 {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match (*seed >> 33) % rare {
                0 => {}
                1 => times.push(at * interval + 1),
                _ => times.push(at * interval),
            }
        }
        times
    }

    #[test]
    fn paces_are_the_windows_of_all_steps_that_have_samples() {
        let mut seed = 5;
        let mut longest = 0;
        for (interval, step) in [(15, 30), (10, 10), (30, 7), (10, 45), (10, 0)] {
            let ends: Vec<i64> = (0..150).map(|at| 300 + at * step).collect();
            let reach = Reach { ends: &ends, back: 100, ahead: 0 };
            let mut windows = Windows::default();
            for rare in [3, 50, 1_000_000, 1_000_000, 40] {
                let samples =
                    Samples { timestamps: scraped(&mut seed, interval, rare), ..Samples::default() };
                windows.find(&samples, reach);
                assert_eq!(windows.floats, alone(&samples.timestamps, reach), "{interval} {step} {rare}");
                let mut of_paces = vec![None; ends.len()];
                for pace in windows.paces(reach) {
                    longest = longest.max(pace.steps);
                    for piece in pace.pieces(64) {
                        let found: Vec<(u32, u32)> = piece.windows().collect();
                        let ends = (found.first().map(|first| first.0), found.last().map(|last| last.1));
                        assert_eq!((Some(piece.all().0), Some(piece.all().1)), ends);
                        for (slot, window) in of_paces.iter_mut().skip(piece.step).zip(found) {
                            assert_eq!(slot.replace(window), None, "two paces have a step");
                        }
                    }
                    let far = |(window, end): ((u32, u32), &i64)| {
                        let time = |at: u32| samples.timestamps[at as usize];
                        (end - time(window.0), end - time(window.1 - 1))
                    };
                    let mut distances = pace.windows().zip(&ends[pace.step..]).map(far);
                    let first = distances.next();
                    assert!(
                        distances.all(|next| Some(next) == first),
                        "what follows is the same at all steps"
                    );
                }
                let with_samples = |window: &(u32, u32)| (window.0 < window.1).then_some(*window);
                let expected: Vec<Option<(u32, u32)>> = windows.floats.iter().map(with_samples).collect();
                assert_eq!(of_paces, expected, "{interval} {step} {rare}");
            }
        }
        assert!(longest > 64);
    }
}
