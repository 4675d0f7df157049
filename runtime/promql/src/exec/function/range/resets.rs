//! Where a counter fell, found once for all ranges.

use super::exact::ExactSums;

/// The resets of a series. What a range lost at them is added in the order of the samples, so that sums round as they do when each
/// range is walked; many resets are added at once where no sum can round.
#[derive(Default)]
pub(super) struct Resets {
    /// The samples before the resets, ascending.
    before: Vec<u32>,
    /// The first that the range at hand, or one that comes, may have.
    next: usize,
    sums: Option<ExactSums>,
}

/// From how many resets per range on sums are worth it.
const SUMMED_MIN: u64 = 8;
/// So many neighbours are looked at before it is asked whether one fell.
const STRIDE: usize = 32;

impl Resets {
    /// The resets of a series with such windows.
    pub(super) fn of(values: &[f64], windows: &[(u32, u32)]) -> Self {
        let mut before: Vec<u32> = Vec::new();
        let after = values.get(1..).unwrap_or(&[]);
        for (at, (earlier, later)) in values.chunks(STRIDE).zip(after.chunks(STRIDE)).enumerate() {
            let falls = earlier.iter().zip(later).fold(false, |falls, (a, b)| falls | (b < a));
            if falls {
                let found = earlier.iter().zip(later).enumerate().filter(|(_, (a, b))| b < a);
                before.extend(found.map(|(within, _)| (at * STRIDE + within) as u32));
            }
        }
        let mut resets = Resets { before, next: 0, sums: None };
        if resets.are_many(values.len(), windows) {
            // A first sample that is -0 would give the sum another sign.
            let of_resets = resets.before.iter().filter_map(|at| values.get(*at as usize)).copied();
            resets.sums = ExactSums::of(values.iter().copied()).and_then(|_| ExactSums::of(of_resets));
        }
        resets
    }

    /// Whether ranges have many resets each, on average.
    fn are_many(&self, samples: usize, windows: &[(u32, u32)]) -> bool {
        if (self.before.len() as u64) < SUMMED_MIN {
            return false;
        }
        let all: u64 = windows.iter().map(|(from, to)| u64::from(to - from)).sum();
        let resets = all.saturating_mul(self.before.len() as u64) / samples.max(1) as u64;
        resets >= SUMMED_MIN * windows.len() as u64
    }

    /// Whether a value fell in a range. Ranges come in their order.
    #[inline]
    pub(super) fn fall_in(&mut self, (from, to): (u32, u32)) -> bool {
        while self.before.get(self.next).is_some_and(|at| *at < from) {
            self.next += 1;
        }
        self.before.get(self.next).is_some_and(|at| *at + 1 < to)
    }

    /// Adds to the difference of the ends of a range what was lost in it. Ranges come in their order.
    #[inline]
    pub(super) fn add_to(&mut self, mut difference: f64, from: u32, to: u32, values: &[f64]) -> f64 {
        if !self.fall_in((from, to)) {
            return difference;
        }
        let rest = self.before.get(self.next..).unwrap_or(&[]);
        match &self.sums {
            Some(sums) => {
                let end = self.next + rest.partition_point(|at| *at + 1 < to);
                difference += sums.between(self.next, end);
            }
            None => {
                for at in rest.iter().take_while(|at| **at + 1 < to) {
                    difference += values.get(*at as usize).copied().unwrap_or(0.0);
                }
            }
        }
        difference
    }

    /// Adds what was lost in any range, whichever ranges came before.
    pub(super) fn add_inside(&self, mut sum: f64, from: usize, to: usize, values: &[f64]) -> f64 {
        let first = self.before.partition_point(|at| (*at as usize) < from);
        let inside = self.before.get(first..).unwrap_or(&[]).iter();
        for at in inside.take_while(|at| (**at as usize) + 1 < to) {
            sum += values.get(*at as usize).copied().unwrap_or(0.0);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a walk over each range gives.
    fn walked(values: &[f64]) -> f64 {
        let mut result = values.last().unwrap_or(&0.0) - values.first().unwrap_or(&0.0);
        for pair in values.windows(2) {
            if let [before, after] = pair
                && after < before
            {
                result += before;
            }
        }
        result
    }

    #[test]
    fn what_was_lost_is_what_a_walk_finds() {
        for unit in [1.0, 0.1] {
            let values: Vec<f64> = (0..300).map(|at: u32| f64::from(at * 7919 % 23) * unit).collect();
            for length in [2, 5, 100] {
                let windows: Vec<(u32, u32)> = (0..=300 - length).map(|from| (from, from + length)).collect();
                let mut resets = Resets::of(&values, &windows);
                for &(from, to) in &windows {
                    let range = &values[from as usize..to as usize];
                    let difference = range[range.len() - 1] - range[0];
                    let added = resets.add_to(difference, from, to, &values);
                    assert_eq!(added.to_bits(), walked(range).to_bits(), "{unit} {length} {from}");
                    let again = resets.add_inside(difference, from as usize, to as usize, &values);
                    assert_eq!(again.to_bits(), added.to_bits(), "{unit} {length} {from}");
                }
            }
        }
    }
}
