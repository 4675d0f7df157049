//! Inverse trigonometric functions, all by way of the arc tangent.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::polynomial;

/// The arc sine; NaN outside of -1 to 1.
pub fn asin(x: f64) -> f64 {
    if x == 0.0 {
        return x;
    }
    let size = x.abs();
    if size > 1.0 || x.is_nan() {
        return f64::NAN;
    }
    let other = (1.0 - size * size).sqrt();
    let angle = if size > 0.7 { FRAC_PI_2 - positive(other / size) } else { positive(size / other) };
    if x < 0.0 { -angle } else { angle }
}

/// The arc cosine; NaN outside of -1 to 1.
pub fn acos(x: f64) -> f64 {
    FRAC_PI_2 - asin(x)
}

/// The arc tangent.
pub fn atan(x: f64) -> f64 {
    if x == 0.0 {
        x
    } else if x > 0.0 {
        positive(x)
    } else {
        -positive(-x)
    }
}

/// The angle of the point `(x, y)`, from -π to π.
pub fn atan2(y: f64, x: f64) -> f64 {
    if y.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    let angle = if y == 0.0 {
        if x.is_sign_negative() { PI } else { 0.0 }
    } else if x == 0.0 {
        FRAC_PI_2
    } else if x == f64::INFINITY {
        if y.is_infinite() { FRAC_PI_4 } else { 0.0 }
    } else if x == f64::NEG_INFINITY {
        if y.is_infinite() { 3.0 * PI / 4.0 } else { PI }
    } else if y.is_infinite() {
        FRAC_PI_2
    } else {
        let angle = atan(y / x);
        return match (x < 0.0, angle <= 0.0) {
            (true, true) => angle + PI,
            (true, false) => angle - PI,
            _ => angle,
        };
    };
    angle.copysign(y)
}

/// The arc tangent of a positive number.
fn positive(x: f64) -> f64 {
    /// What π/2 as a float lacks.
    const REST: f64 = 6.123_233_995_736_766e-17;
    const TAN_3_PI_8: f64 = 2.414_213_562_373_095;
    if x <= 0.66 {
        small(x)
    } else if x > TAN_3_PI_8 {
        FRAC_PI_2 - small(1.0 / x) + REST
    } else {
        FRAC_PI_4 + small((x - 1.0) / (x + 1.0)) + 0.5 * REST
    }
}

/// The arc tangent of at most 0.66.
fn small(x: f64) -> f64 {
    const P: [f64; 5] = [
        -0.875_060_860_003_190_4,
        -16.157_537_187_333_652,
        -75.008_557_923_147_05,
        -122.886_668_449_013_61,
        -64.850_219_049_420_25,
    ];
    const Q: [f64; 6] = [
        1.0,
        24.858_464_901_423_062,
        165.027_009_831_698_85,
        432.881_060_491_290_27,
        485.390_399_635_913_7,
        194.550_657_148_261_4,
    ];
    let square = x * x;
    x * (square * polynomial(square, &P) / polynomial(square, &Q)) + x
}
