//! Powers: the whole part of the exponent by squaring, the rest by exponential and logarithm.

use super::exponential::{exp, ln};

/// From here on all floats are even integers and powers of all but 1 and -1 are 0 or infinite.
const ALL_EVEN: f64 = 9_223_372_036_854_775_808.0;

fn is_odd(y: f64) -> bool {
    // From 2^53 on all floats are even.
    y.abs() < 9_007_199_254_740_992.0 && y.fract() == 0.0 && (y as i64) & 1 == 1
}

/// `x` to the power of `y`.
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if y == 1.0 {
        return x;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    if x == 0.0 {
        return match (y < 0.0, is_odd(y)) {
            (true, true) => f64::INFINITY.copysign(x),
            (true, false) => f64::INFINITY,
            (false, true) => x,
            (false, false) => 0.0,
        };
    }
    if y.is_infinite() {
        return extreme(x, y);
    }
    if x == f64::NEG_INFINITY {
        return pow(-0.0, -y);
    }
    if x == f64::INFINITY {
        return if y < 0.0 { 0.0 } else { f64::INFINITY };
    }
    if y == 0.5 {
        return x.sqrt();
    }
    if y == -0.5 {
        return 1.0 / x.sqrt();
    }
    let (mut whole, mut rest) = (y.abs().trunc(), y.abs().fract());
    if rest != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= ALL_EVEN {
        return extreme(x, y);
    }
    let mut fraction = 1.0;
    if rest != 0.0 {
        if rest > 0.5 {
            rest -= 1.0;
            whole += 1.0;
        }
        fraction = exp(rest * ln(x));
    }
    let (fraction, exponent) = squarings(fraction, x, whole as i64);
    // The reciprocal of the parts, not of the whole, which may be out of range.
    if y < 0.0 { ldexp(1.0 / fraction, -exponent) } else { ldexp(fraction, exponent) }
}

/// The power for an exponent beyond all measure.
fn extreme(x: f64, y: f64) -> f64 {
    if x == -1.0 {
        1.0
    } else if (x.abs() < 1.0) == (y > 0.0) {
        0.0
    } else {
        f64::INFINITY
    }
}

/// `fraction · x^whole` as a fraction and a power of two.
fn squarings(mut fraction: f64, x: f64, mut whole: i64) -> (f64, i64) {
    let (mut square, exponent) = frexp(x);
    let mut square_exponent = i64::from(exponent);
    let mut exponent = 0;
    while whole != 0 {
        if square_exponent.abs() > 1 << 12 {
            // Out of range already, whatever else comes.
            exponent += square_exponent;
            break;
        }
        if whole & 1 == 1 {
            fraction *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        whole >>= 1;
    }
    (fraction, exponent)
}

const EXPONENT_MASK: u64 = 0x7ff << 52;

/// A subnormal number times 2^52, and -52; others as they are.
fn normalize(x: f64) -> (f64, i64) {
    if x.abs() < f64::MIN_POSITIVE { (x * 4_503_599_627_370_496.0, -52) } else { (x, 0) }
}

/// The number as a fraction of at least a half and below 1, and a power of two.
pub(crate) fn frexp(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let (x, shift) = normalize(x);
    let bits = x.to_bits();
    let exponent = ((bits & EXPONENT_MASK) >> 52) as i32 - 1022 + shift as i32;
    (f64::from_bits(bits & !EXPONENT_MASK | 0.5f64.to_bits()), exponent)
}

/// `fraction · 2^exponent`, rounded once.
fn ldexp(fraction: f64, exponent: i64) -> f64 {
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let (fraction, shift) = normalize(fraction);
    let bits = fraction.to_bits();
    let mut exponent = exponent + shift + ((bits & EXPONENT_MASK) >> 52) as i64 - 1023;
    if exponent < -1075 {
        return 0.0f64.copysign(fraction);
    }
    if exponent > 1023 {
        return f64::INFINITY.copysign(fraction);
    }
    let mut scale = 1.0;
    if exponent < -1022 {
        exponent += 53;
        scale = 1.0 / 9_007_199_254_740_992.0;
    }
    scale * f64::from_bits(bits & !EXPONENT_MASK | ((exponent + 1023) as u64) << 52)
}
