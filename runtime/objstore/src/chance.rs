//! Chance from a seed: jitter and faults that replay.

use std::time::Duration;

/// A sequence of numbers that look random and are the same for the same seed (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    pub const fn from_seed(seed: u64) -> Self {
        Chance(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 where there is none.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.next_u64() as u128 * limit as u128) >> 64) as u64
    }

    /// A number in 0.0..1.0.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time in zero..=`longest`.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_within_their_bounds() {
        let (mut one, mut other) = (Chance::from_seed(7), Chance::from_seed(7));
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            let number = one.below(10);
            assert_eq!(number, other.below(10));
            seen[number as usize] = true;
            let fraction = one.fraction();
            assert!((0.0..1.0).contains(&fraction));
            other.fraction();
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(one.below(0), 0);
        assert_ne!(Chance::from_seed(1).next_u64(), Chance::from_seed(2).next_u64());
    }
}
