//! Sine, cosine and tangent.

use super::polynomial;
use super::reduction::octant;

/// The sine.
pub fn sin(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() {
        return x;
    }
    if x.is_infinite() {
        return f64::NAN;
    }
    let (octant, rest) = octant(x.abs());
    let near_top = octant & 3 == 2;
    let value = if near_top { cosine(rest) } else { sine(rest) };
    if (x < 0.0) != (octant > 3) { -value } else { value }
}

/// The cosine.
pub fn cos(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (octant, rest) = octant(x.abs());
    let value = if octant & 3 == 2 { sine(rest) } else { cosine(rest) };
    if (octant > 3) != (octant & 3 > 1) { -value } else { value }
}

/// The tangent.
pub fn tan(x: f64) -> f64 {
    const P: [f64; 3] = [-13_093.693_918_138_379, 1_153_516.648_385_874_2, -17_956_525.197_648_488];
    const Q: [f64; 5] = [
        1.0,
        13_681.296_347_069_296,
        -1_320_892.344_402_109_7,
        25_008_380.182_335_79,
        -53_869_575.592_945_464,
    ];
    if x == 0.0 || x.is_nan() {
        return x;
    }
    if x.is_infinite() {
        return f64::NAN;
    }
    let (octant, rest) = octant(x.abs());
    let square = rest * rest;
    let mut value = rest;
    if square > 1e-14 {
        value = rest + rest * (square * polynomial(square, &P) / polynomial(square, &Q));
    }
    if octant & 2 == 2 {
        value = -1.0 / value;
    }
    if x < 0.0 { -value } else { value }
}

/// The sine of at most π/4.
fn sine(x: f64) -> f64 {
    const S: [f64; 6] = [
        1.589_623_015_765_465_6e-10,
        -2.505_074_776_285_780_7e-8,
        2.755_731_362_138_572_2e-6,
        -0.000_198_412_698_295_895_4,
        0.008_333_333_333_322_118,
        -0.166_666_666_666_666_3,
    ];
    let square = x * x;
    x + x * square * polynomial(square, &S)
}

/// The cosine of at most π/4.
fn cosine(x: f64) -> f64 {
    const C: [f64; 6] = [
        -1.135_853_652_138_768_2e-11,
        2.087_570_084_197_473e-9,
        -2.755_731_417_929_674e-7,
        2.480_158_728_885_170_4e-5,
        -0.001_388_888_888_887_305_6,
        0.041_666_666_666_666_595,
    ];
    let square = x * x;
    1.0 - 0.5 * square + square * square * polynomial(square, &C)
}
