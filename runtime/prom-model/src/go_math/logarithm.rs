//! Logarithms.

use super::exponential::{LN2_HIGH, LN2_LOW};
use super::frexp;

/// Coefficients of the series in `s = f / (2 + f)` for `ln(1 + f)`.
const L: [f64; 7] = [
    0.666_666_666_666_673_5,
    0.399_999_999_994_094_2,
    0.285_714_287_436_623_9,
    0.222_221_984_321_497_84,
    0.181_835_721_616_180_5,
    0.153_138_376_992_093_73,
    0.147_981_986_051_165_86,
];

/// The natural logarithm. Of a subnormal number it is that of the number whose exponent it shows, as on amd64.
pub fn ln(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let mut fraction = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3fe0_0000_0000_0000);
    let mut exponent = f64::from((bits >> 52) as i32 - 1022);
    if fraction <= std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1.0;
    }
    let f = fraction - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let fourth = square * square;
    let odd = square * (L[0] + fourth * (L[2] + fourth * (L[4] + fourth * L[6])));
    let even = fourth * (L[1] + fourth * (L[3] + fourth * L[5]));
    let half = 0.5 * f * f;
    exponent * LN2_HIGH - ((half - (s * (half + (odd + even)) + exponent * LN2_LOW)) - f)
}

/// The logarithm to base two; exact for powers of two.
pub fn log2(x: f64) -> f64 {
    let (fraction, exponent) = frexp(x);
    if fraction == 0.5 {
        return f64::from(exponent - 1);
    }
    ln(fraction) * std::f64::consts::LOG2_E + f64::from(exponent)
}

/// The logarithm to base ten.
pub fn log10(x: f64) -> f64 {
    ln(x) * std::f64::consts::LOG10_E
}

/// The natural logarithm of `1 + x`, exact near 0.
pub(super) fn ln_1p(x: f64) -> f64 {
    const SQRT2_LESS_1: f64 = 0.414_213_562_373_095_03;
    const HALF_SQRT2_LESS_1: f64 = -0.292_893_218_813_452_5;
    const SQRT2_MANTISSA: u64 = 0x0006_a09e_667f_3bcd;
    if x < -1.0 || x.is_nan() {
        return f64::NAN;
    }
    if x == -1.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    let size = x.abs();
    if size < 1.0 / (1u64 << 54) as f64 {
        return x;
    }
    if size < 1.0 / (1u64 << 29) as f64 {
        return x - x * x * 0.5;
    }
    // 1 + x = 2^k · (1 + f), and what rounding 1 + x took off.
    let (mut k, mut f, mut lost, mut tiny) = (0, x, 0.0, false);
    if !(size < SQRT2_LESS_1 && x > HALF_SQRT2_LESS_1) {
        let sum = if size < (1u64 << 53) as f64 { 1.0 + x } else { x };
        k = (sum.to_bits() >> 52) as i32 - 1023;
        if size < (1u64 << 53) as f64 {
            lost = if k > 0 { 1.0 - (sum - x) } else { x - (sum - 1.0) } / sum;
        }
        let mantissa = sum.to_bits() & 0x000f_ffff_ffff_ffff;
        let normal = if mantissa < SQRT2_MANTISSA {
            tiny = mantissa == 0;
            f64::from_bits(mantissa | 0x3ff0_0000_0000_0000)
        } else {
            k += 1;
            tiny = (0x0010_0000_0000_0000 - mantissa) >> 2 == 0;
            f64::from_bits(mantissa | 0x3fe0_0000_0000_0000)
        };
        f = normal - 1.0;
    }
    let power = f64::from(k);
    let half = 0.5 * f * f;
    if tiny {
        if f == 0.0 {
            return if k == 0 { 0.0 } else { power * LN2_HIGH + (lost + power * LN2_LOW) };
        }
        let rest = half * (1.0 - 0.666_666_666_666_666_6 * f);
        return if k == 0 { f - rest } else { power * LN2_HIGH - ((rest - (power * LN2_LOW + lost)) - f) };
    }
    let s = f / (2.0 + f);
    let z = s * s;
    let rest = z * L.into_iter().rev().reduce(|sum, next| next + z * sum).unwrap_or(0.0);
    if k == 0 {
        return f - (half - s * (half + rest));
    }
    power * LN2_HIGH - ((half - (s * (half + rest) + (power * LN2_LOW + lost))) - f)
}
