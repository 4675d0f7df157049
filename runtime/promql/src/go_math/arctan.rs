//! The arc tangent, by the rational approximation of Cephes.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

const NUMERATOR: [f64; 5] = [
    -8.750_608_600_031_904_122_785e-1,
    -1.615_753_718_733_365_076_637e1,
    -7.500_855_792_314_704_667_340e1,
    -1.228_866_684_490_136_173_410e2,
    -6.485_021_904_942_025_371_773e1,
];
const DENOMINATOR: [f64; 5] = [
    2.485_846_490_142_306_297_962e1,
    1.650_270_098_316_988_542_046e2,
    4.328_810_604_912_902_668_951e2,
    4.853_903_996_359_136_964_868e2,
    1.945_506_571_482_613_964_425e2,
];
/// What π/2 has beyond the precision of a float.
const MORE_BITS: f64 = 6.123_233_995_736_765_886_130e-17;
/// tan(3π/8)
const TAN_3_PI_8: f64 = 2.414_213_562_373_095_048_80;

/// Between 0 and 0.66.
fn small(x: f64) -> f64 {
    let square = x * x;
    let horner =
        |start: f64, rest: &[f64]| rest.iter().fold(start, |sum, coefficient| sum * square + coefficient);
    let (numerator, denominator) = (horner(0.0, &NUMERATOR), horner(1.0, &DENOMINATOR));
    x * (square * numerator / denominator) + x
}

/// Above 0.
fn positive(x: f64) -> f64 {
    if x <= 0.66 {
        small(x)
    } else if x > TAN_3_PI_8 {
        FRAC_PI_2 - small(1.0 / x) + MORE_BITS
    } else {
        FRAC_PI_4 + small((x - 1.0) / (x + 1.0)) + 0.5 * MORE_BITS
    }
}

/// The arc tangent in radians.
pub(crate) fn atan(x: f64) -> f64 {
    if x == 0.0 {
        x
    } else if x > 0.0 {
        positive(x)
    } else {
        -positive(-x)
    }
}

/// The angle of the point (x, y), in radians from -π to π.
pub(crate) fn atan2(y: f64, x: f64) -> f64 {
    if y.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    if y == 0.0 {
        return if x.is_sign_positive() { y } else { PI.copysign(y) };
    }
    if x == 0.0 {
        return FRAC_PI_2.copysign(y);
    }
    match (x.is_infinite(), y.is_infinite()) {
        (true, true) if x > 0.0 => FRAC_PI_4.copysign(y),
        (true, true) => (3.0 * PI / 4.0).copysign(y),
        (true, false) if x > 0.0 => 0.0f64.copysign(y),
        (true, false) => PI.copysign(y),
        (false, true) => FRAC_PI_2.copysign(y),
        (false, false) => {
            let angle = atan(y / x);
            if x > 0.0 {
                angle
            } else if angle <= 0.0 {
                angle + PI
            } else {
                angle - PI
            }
        }
    }
}
