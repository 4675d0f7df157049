//! The exponential function and the natural logarithm.

use std::f64::consts::{LOG2_E, SQRT_2};

use super::power::frexp;

/// Above this the exponential is infinite.
const OVERFLOW: f64 = 7.097_827_128_933_84e2;
/// The upper and the lower part of ln 2, as the exponential splits it.
const LN_2_UPPER: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
const LN_2_LOWER: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
/// Coefficients of the Taylor series after `x`, the highest first.
const TAYLOR: [f64; 7] = [
    1.984_126_984_126_984_127_0e-4,
    1.388_888_888_888_888_888_9e-3,
    8.333_333_333_333_333_333_3e-3,
    4.166_666_666_666_666_666_7e-2,
    1.666_666_666_666_666_666_7e-1,
    0.5,
    1.0,
];
const TAYLOR_HIGHEST: f64 = 2.480_158_730_158_730_158_7e-5;

/// e to the power of `x`; fused operations as on processors that have them.
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x == f64::NEG_INFINITY {
        return 0.0;
    }
    if x > OVERFLOW {
        return f64::INFINITY;
    }
    // Beyond the range of the conversion below the result is 0 in any case.
    if x < -1e9 {
        return 0.0;
    }
    let exponent = (x * LOG2_E).round_ties_even();
    let mut rest = (-exponent).mul_add(LN_2_UPPER, x);
    rest = (-exponent).mul_add(LN_2_LOWER, rest);
    // e^x - 1 for a sixteenth, then squared four times.
    rest *= 0.0625;
    let mut sum = TAYLOR_HIGHEST;
    for coefficient in TAYLOR {
        sum = sum.mul_add(rest, coefficient);
    }
    rest *= sum;
    for _ in 0..3 {
        rest *= rest + 2.0;
    }
    let twice = rest + 2.0;
    let fraction = rest.mul_add(twice, 1.0);
    scale(fraction, exponent as i32)
}

/// `fraction` times 2 to the power of `exponent`, where the fraction is near 1.
fn scale(fraction: f64, exponent: i32) -> f64 {
    let biased = exponent + 1023;
    if biased >= 0x7ff {
        return f64::INFINITY;
    }
    if biased > 0 {
        return fraction * f64::from_bits((biased as u64) << 52);
    }
    if biased < -52 {
        return 0.0;
    }
    fraction * f64::from_bits(((biased + 0x3fe) as u64) << 52) * f64::from_bits(1 << 52)
}

const LN_2_HIGH: f64 = 6.931_471_803_691_238_164_90e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;
/// Coefficients of the even and of the odd powers, the highest first.
const SERIES_1: [f64; 4] = [
    1.479_819_860_511_658_591e-1,
    1.818_357_216_161_805_012e-1,
    2.857_142_874_366_239_149e-1,
    6.666_666_666_666_735_130e-1,
];
const SERIES_2: [f64; 3] =
    [1.531_383_769_920_937_332e-1, 2.222_219_843_214_978_396e-1, 3.999_999_999_940_941_908e-1];

/// The natural logarithm.
pub(crate) fn ln(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    let (mut fraction, mut exponent) = assembled_frexp(x);
    if fraction < SQRT_2 / 2.0 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let polynomial = |series: &[f64]| series.iter().fold(0.0, |sum, coefficient| sum * s4 + coefficient);
    let r = s2 * polynomial(&SERIES_1) + s4 * polynomial(&SERIES_2);
    let half_square = 0.5 * f * f;
    k * LN_2_HIGH - ((half_square - (s * (half_square + r) + k * LN_2_LOW)) - f)
}

/// Go's assembly takes the exponent of a subnormal number as it stands.
fn assembled_frexp(x: f64) -> (f64, i32) {
    if x >= f64::MIN_POSITIVE {
        return frexp(x);
    }
    (f64::from_bits(x.to_bits() & ((1 << 52) - 1) | 0.5f64.to_bits()), -0x3fe)
}
