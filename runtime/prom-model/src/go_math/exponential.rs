//! Powers of e and of two.

use super::ldexp;

/// e to a power: a Taylor series of the sixteenth of the reduced argument, squared four times, with fused multiply-adds as on
/// each amd64 processor since 2013.
pub fn exp(x: f64) -> f64 {
    const OVERFLOW: f64 = 709.782_712_893_384;
    const LN2_HIGH: f64 = 0.693_147_180_559_663;
    const LN2_LOW: f64 = 2.823_529_056_303_157_7e-13;
    const SERIES: [f64; 8] =
        [1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    if x.is_nan() {
        return x;
    }
    if x > OVERFLOW {
        return f64::INFINITY;
    }
    if x < -800.0 {
        return 0.0;
    }
    let exponent = (x * std::f64::consts::LOG2_E).round_ties_even();
    let rest = (-exponent).mul_add(LN2_LOW, (-exponent).mul_add(LN2_HIGH, x)) * 0.0625;
    let series = SERIES.into_iter().reduce(|sum, next| sum.mul_add(rest, next)).unwrap_or(1.0);
    // From here on the value is e^rest - 1, for which squaring is y·(y + 2).
    let mut value = rest * series;
    for _ in 0..3 {
        value *= value + 2.0;
    }
    value = (value + 2.0).mul_add(value, 1.0);
    scale(value, exponent as i32)
}

/// Multiplies by a power of two, in two steps where the result is subnormal.
fn scale(value: f64, exponent: i32) -> f64 {
    let power = |biased: i32| f64::from_bits((biased as u64) << 52);
    match exponent + 1023 {
        0x7ff.. => f64::INFINITY,
        biased @ 1.. => value * power(biased),
        biased @ -52..=0 => value * power(biased + 1022) * power(1),
        _ => 0.0,
    }
}

/// Two to a power.
pub fn exp2(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 1_023.999_999_999_999_9 {
        return f64::INFINITY;
    }
    if x < -1074.0 {
        return 0.0;
    }
    let whole = if x > 0.0 { (x + 0.5).trunc() } else { (x - 0.5).trunc() };
    let rest = x - whole;
    rational(rest * LN2_HIGH, -rest * LN2_LOW, whole as i32)
}

pub(super) const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
pub(super) const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `e^(high - low) · 2^exponent` by a rational approximation, for a difference of at most half of ln 2.
fn rational(high: f64, low: f64, exponent: i32) -> f64 {
    const P1: f64 = 0.166_666_666_666_666_66;
    const P2: f64 = -0.002_777_777_777_701_559_3;
    const P3: f64 = 6.613_756_321_437_934e-5;
    const P4: f64 = -1.653_390_220_546_525_2e-6;
    const P5: f64 = 4.138_136_797_057_238_5e-8;
    let rest = high - low;
    let square = rest * rest;
    let odd = rest - square * (P1 + square * (P2 + square * (P3 + square * (P4 + square * P5))));
    ldexp(1.0 - ((low - (rest * odd) / (2.0 - odd)) - high), exponent)
}
