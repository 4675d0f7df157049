//! Elementary functions that round as Go's package `math` does on amd64, to the last bit.
//!
//! C libraries round better and therefore differently: a query's answer would differ from Prometheus' in its last digit.
//! Steps and coefficients follow from the methods Go uses (Cephes, FreeBSD's msun, Shibata's series for the exponential);
//! the order of operations is part of the result and may not be changed.

mod arc;
mod exponential;
mod hyperbolic;
mod logarithm;
mod power;
mod reduction;
mod trigonometry;

#[cfg(test)]
mod tests;

pub use arc::{acos, asin, atan, atan2};
pub use exponential::{exp, exp2};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use logarithm::{ln, log2, log10};
pub use power::pow;
pub use trigonometry::{cos, sin, tan};

/// The greater of two numbers: infinity wins over NaN, NaN over the rest, 0 over -0.
pub fn max(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        f64::INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else if left == 0.0 && right == 0.0 {
        if left.is_sign_negative() { right } else { left }
    } else if left > right {
        left
    } else {
        right
    }
}

/// The smaller of two numbers: minus infinity wins over NaN, NaN over the rest, -0 over 0.
pub fn min(left: f64, right: f64) -> f64 {
    -max(-left, -right)
}

/// `coefficients[0]·x^n + … + coefficients[n]` by Horner's rule.
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().copied().reduce(|sum, next| sum * x + next).unwrap_or(0.0)
}

/// Splits into a fraction from 0.5 to below 1 (with the sign) and a power of two.
fn frexp(value: f64) -> (f64, i32) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    let (value, shift) = normalized(value);
    let bits = value.to_bits();
    let exponent = exponent_bits(bits) - 1022 + shift;
    (f64::from_bits(bits & !EXPONENT_MASK | 1022 << MANTISSA_BITS), exponent)
}

/// `fraction · 2^exponent`, rounded once where it is subnormal.
fn ldexp(fraction: f64, exponent: i32) -> f64 {
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let (fraction, shift) = normalized(fraction);
    let bits = fraction.to_bits();
    let exponent = exponent.saturating_add(shift).saturating_add(exponent_bits(bits) - 1023);
    if exponent < -1075 {
        return 0f64.copysign(fraction);
    }
    if exponent > 1023 {
        return f64::INFINITY.copysign(fraction);
    }
    let (exponent, scale) =
        if exponent < -1022 { (exponent + 53, 1.0 / (1u64 << 53) as f64) } else { (exponent, 1.0) };
    scale * f64::from_bits(bits & !EXPONENT_MASK | ((exponent + 1023) as u64) << MANTISSA_BITS)
}

const MANTISSA_BITS: u32 = 52;
const EXPONENT_MASK: u64 = 0x7ff << MANTISSA_BITS;

fn exponent_bits(bits: u64) -> i32 {
    (bits >> MANTISSA_BITS & 0x7ff) as i32
}

/// A normal number and the power of two that makes the old one of it.
fn normalized(value: f64) -> (f64, i32) {
    if value.abs() < f64::MIN_POSITIVE { (value * (1u64 << 52) as f64, -52) } else { (value, 0) }
}
