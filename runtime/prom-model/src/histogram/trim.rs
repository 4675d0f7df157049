//! The operators `</` and `>/`: what of a histogram lies below or above a value. Inside a bucket observations are spread evenly,
//! over its logarithm where buckets are exponential.

use super::FloatHistogram;
use super::iterate::Bucket;
use crate::go_math::log2;

/// Which side of the value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimSide {
    /// `</`: what lies below.
    Below,
    /// `>/`: what lies above.
    Above,
}

/// Observations that stay of a bucket, and the value that each is taken for.
struct Kept {
    count: f64,
    midpoint: f64,
}

impl FloatHistogram {
    /// Removes the observations on the other side of `value`. The sum becomes an estimate from the middles of the buckets; a
    /// histogram that loses nothing stays as it is.
    pub fn trim(&mut self, value: f64, side: TrimSide) {
        let linear = self.uses_custom_buckets();
        let (mut count, mut sum, mut trimmed) = (0.0, 0.0, false);
        let mut populated = [false; 2];
        for (at_side, positive) in [true, false].into_iter().enumerate() {
            let buckets: Vec<Bucket> =
                if positive { self.positive_bounds().collect() } else { self.negative_bounds().collect() };
            let counts = if positive { &mut self.positive_buckets } else { &mut self.negative_buckets };
            for (bucket, stored) in buckets.iter().zip(counts).filter(|(bucket, _)| bucket.count != 0.0) {
                if let Some(populated) = populated.get_mut(at_side) {
                    *populated = true;
                }
                let (whole, part) = match side {
                    TrimSide::Below => (bucket.upper <= value, bucket.lower < value),
                    TrimSide::Above => (bucket.lower >= value, bucket.upper > value),
                };
                let kept = if whole {
                    Kept {
                        count: bucket.count,
                        midpoint: midpoint(bucket.lower, bucket.upper, positive, linear),
                    }
                } else if part {
                    bucket.cut(value, side, positive, linear)
                } else {
                    *stored = 0.0;
                    trimmed = true;
                    continue;
                };
                count += kept.count;
                sum += kept.midpoint * kept.count;
                if *stored != kept.count {
                    *stored = kept.count;
                    trimmed = true;
                }
            }
        }
        if self.zero_count > 0.0 {
            let [has_positive, has_negative] = populated;
            let kept = self.zero_bucket().cut_zero(value, side, has_negative, has_positive);
            trimmed |= self.zero_count != kept.count;
            self.zero_count = kept.count;
            sum += kept.midpoint * kept.count;
            count += kept.count;
        }
        if trimmed {
            (self.count, self.sum) = (count, sum);
            self.compact(0);
        }
    }
}

impl Bucket {
    /// How much of its width lies below a value inside it, from 0 to 1; its bounds must be finite.
    fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|bound| log2(bound.abs()));
        if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - ((at - upper) / (lower - upper)) }
    }

    fn cut(&self, value: f64, side: TrimSide, positive: bool, linear: bool) -> Kept {
        if self.lower == f64::NEG_INFINITY || self.upper == f64::INFINITY {
            return self.cut_infinite(value, side);
        }
        let below = if value <= self.lower {
            0.0
        } else if value >= self.upper {
            self.count
        } else {
            self.count * self.fraction_below(value, linear)
        };
        match side {
            TrimSide::Below => Kept { count: below, midpoint: midpoint(self.lower, value, positive, linear) },
            TrimSide::Above => {
                Kept { count: self.count - below, midpoint: midpoint(value, self.upper, positive, linear) }
            }
        }
    }

    /// Nothing is known of how observations are spread in a bucket without end, except that one that reaches from below into
    /// positive values is taken to begin at 0.
    fn cut_infinite(&self, value: f64, side: TrimSide) -> Kept {
        let finite = |bound: f64| if bound.is_infinite() { 0.0 } else { bound };
        let all = |midpoint: f64| Kept { count: self.count, midpoint };
        let none = |bound: f64| Kept { count: 0.0, midpoint: finite(bound) };
        let upper_is_finite = self.upper != f64::INFINITY;
        if self.lower == f64::NEG_INFINITY {
            return match side {
                TrimSide::Below if value >= self.upper => all(0.0),
                TrimSide::Below if value > 0.0 && self.upper > 0.0 && upper_is_finite => {
                    Kept { count: self.count * value / self.upper, midpoint: value / 2.0 }
                }
                TrimSide::Below if self.upper <= 0.0 => all(value),
                TrimSide::Above if value <= self.lower => all(0.0),
                TrimSide::Above if value >= 0.0 && self.upper > value && upper_is_finite => Kept {
                    count: self.count * (1.0 - value / self.upper),
                    midpoint: (value + self.upper) / 2.0,
                },
                _ => none(self.upper),
            };
        }
        match side {
            TrimSide::Above if value >= self.lower => all(value),
            _ => none(self.lower),
        }
    }

    /// A zero bucket beside buckets of one sign only has observations of that sign.
    fn cut_zero(&self, value: f64, side: TrimSide, has_negative: bool, has_positive: bool) -> Kept {
        let upper = if has_negative && !has_positive { 0.0 } else { self.upper };
        let lower = if has_positive && !has_negative { 0.0 } else { self.lower };
        let all = Kept { count: self.count, midpoint: (lower + upper) / 2.0 };
        let none = Kept { count: 0.0, midpoint: 0.0 };
        match side {
            TrimSide::Below if value <= lower => none,
            TrimSide::Below if value >= upper => all,
            TrimSide::Below => Kept {
                count: self.count * ((value - lower) / (upper - lower)),
                midpoint: (lower + value) / 2.0,
            },
            TrimSide::Above if value <= lower => all,
            TrimSide::Above if value >= upper => none,
            TrimSide::Above => Kept {
                count: self.count * ((upper - value) / (upper - lower)),
                midpoint: (value + upper) / 2.0,
            },
        }
    }
}

/// The value that stands for the observations between two bounds: the arithmetic mean where they are spread evenly, else the
/// geometric one.
fn midpoint(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    if lower.is_infinite() {
        return if upper.is_infinite() {
            0.0
        } else if upper > 0.0 {
            upper / 2.0
        } else {
            upper
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    if linear {
        return (lower + upper) / 2.0;
    }
    let mean = (lower * upper).abs().sqrt();
    if positive { mean } else { -mean }
}
