//! Sums that never round. Whole numbers below 2^53 add up exactly in whatever order: then the sum of each range is the difference of
//! two sums from the start, to the bit what adding the range up gives, and long ranges cost what short ones do.

/// Sums from the start of a series; there is one more than values.
pub(super) struct ExactSums(Vec<f64>);

impl ExactSums {
    /// `None` where some sum of neighbours might round, or give a zero another sign.
    pub(super) fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        if !add_up_exactly(values.clone()) {
            return None;
        }
        let mut sums = vec![0.0];
        sums.extend(values.scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        }));
        Some(ExactSums(sums))
    }

    /// The sum of the values from one index to before another.
    pub(super) fn between(&self, from: usize, to: usize) -> f64 {
        match (self.0.get(from), self.0.get(to)) {
            (Some(before), Some(after)) => after - before,
            _ => f64::NAN,
        }
    }
}

const FRACTION_BITS: u32 = 52;
const EXPONENT_MASK: u64 = 0x7FF;

/// Whether all values are multiples of one power of two, and twice the sum of their sizes is below 2^53 times that power.
fn add_up_exactly(values: impl Iterator<Item = f64>) -> bool {
    let (mut lowest, mut size) = (u32::MAX, 0.0);
    for value in values {
        let bits = value.to_bits();
        if bits == 0 {
            continue;
        }
        let exponent = (bits >> FRACTION_BITS & EXPONENT_MASK) as u32;
        // Subnormal numbers and -0 on one side, infinities and NaN on the other.
        if exponent == 0 || u64::from(exponent) == EXPONENT_MASK {
            return false;
        }
        lowest = lowest.min(exponent + (bits | 1 << FRACTION_BITS).trailing_zeros());
        size += value.abs();
    }
    if lowest == u32::MAX {
        return true;
    }
    // The unit of the lowest bit is 2^(lowest - 1075); sizes up to 2^51 units leave room for the rounding of `size` itself.
    size < 2_f64.powi(lowest.cast_signed() - 1075 + 51)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_exact(values: &[f64]) -> bool {
        ExactSums::of(values.iter().copied()).is_some()
    }

    #[test]
    fn whole_numbers_and_binary_fractions_add_up_exactly_and_others_do_not() {
        assert!(are_exact(&[0.0, 1.0, 1e9, -3.0, 123_456_789_012.0]));
        assert!(are_exact(&[0.25, 1e6, -0.5]));
        assert!(are_exact(&[]));
        assert!(!are_exact(&[0.1, 0.2]));
        assert!(!are_exact(&[1.0, 1e16]));
        assert!(!are_exact(&[1.0, f64::NAN]));
        assert!(!are_exact(&[1.0, f64::INFINITY]));
        assert!(!are_exact(&[1.0, -0.0]));
        assert!(!are_exact(&[5e-324, 1.0]));
        assert!(!are_exact(&[2_f64.powi(50), 2_f64.powi(50), 1.0]));
    }

    #[test]
    fn sums_are_those_of_the_values_between() {
        let sums = ExactSums::of([1.0, 2.5, -4.0].into_iter()).expect("they are exact");
        assert_eq!((sums.between(0, 3), sums.between(1, 2), sums.between(2, 2)), (-0.5, 2.5, 0.0));
    }
}
