//! Any number to any power.

use super::{exp, frexp, ldexp, ln};

/// `base` to a power: the whole part by squaring, what is left by way of logarithms.
pub fn pow(base: f64, power: f64) -> f64 {
    if power == 0.0 || base == 1.0 {
        return 1.0;
    }
    if power == 1.0 {
        return base;
    }
    if base.is_nan() || power.is_nan() {
        return f64::NAN;
    }
    if base == 0.0 || base.is_infinite() || power.is_infinite() {
        return at_the_limits(base, power);
    }
    if power == 0.5 {
        return base.sqrt();
    }
    if power == -0.5 {
        return 1.0 / base.sqrt();
    }
    let (mut whole, mut rest) = (power.abs().trunc(), power.abs().fract());
    if rest != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    if whole >= (1u64 << 63) as f64 {
        return if base == -1.0 {
            1.0
        } else if (base.abs() < 1.0) == (power > 0.0) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    // The result is value · 2^exponent.
    let (mut value, mut exponent) = (1.0, 0i32);
    if rest != 0.0 {
        if rest > 0.5 {
            rest -= 1.0;
            whole += 1.0;
        }
        value = exp(rest * ln(base));
    }
    let (mut square, mut square_exponent) = frexp(base);
    let mut left = whole as i64;
    while left != 0 {
        // Beyond this the result is 0 or infinity, whatever follows.
        if square_exponent.abs() > 1 << 12 {
            exponent += square_exponent;
            break;
        }
        if left & 1 == 1 {
            value *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent *= 2;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        left >>= 1;
    }
    if power < 0.0 { ldexp(1.0 / value, -exponent) } else { ldexp(value, exponent) }
}

fn at_the_limits(base: f64, power: f64) -> f64 {
    if base == 0.0 {
        let value = if power < 0.0 { f64::INFINITY } else { 0.0 };
        return if is_odd(power) { value.copysign(base) } else { value };
    }
    if power.is_infinite() {
        return if base == -1.0 {
            1.0
        } else if (base.abs() < 1.0) == (power > 0.0) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if base == f64::NEG_INFINITY {
        return pow(-0.0, -power);
    }
    if power < 0.0 { 0.0 } else { f64::INFINITY }
}

fn is_odd(power: f64) -> bool {
    power.abs() < (1u64 << 53) as f64 && power % 2.0 != 0.0 && power.fract() == 0.0
}
