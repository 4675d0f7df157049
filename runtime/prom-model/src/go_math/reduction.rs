//! Brings the argument of a trigonometric function into the first octant.

use std::f64::consts::{FRAC_PI_4, PI};

/// 4/π in binary, 64 digits a word; the first word is what stands before the point.
const FOUR_OVER_PI: [u64; 20] = [
    0x0000_0000_0000_0001,
    0x45f3_06dc_9c88_2a53,
    0xf84e_afa3_ea69_bb81,
    0xb6c5_2b32_7887_2083,
    0xfca2_c757_bd77_8ac3,
    0x6e48_dc74_849b_a5c0,
    0x0c92_5dd4_13a3_2439,
    0xfc3b_d639_6253_4e7d,
    0xd104_6bea_5d76_8909,
    0xd338_e04d_68be_fc82,
    0x7323_ac73_06a6_73e9,
    0x3908_bf17_7bf2_5076,
    0x3ff1_2fff_bc0b_301f,
    0xde5e_2316_b414_da3e,
    0xda6c_fd9e_4f96_136e,
    0x9e8c_7ecd_3cbf_d45a,
    0xea4f_758f_d7cb_e2f6,
    0x7a0e_73ef_14a5_25d4,
    0xd7f6_bf62_3f1a_ba10,
    0xac06_608d_f8f6_d757,
];

/// Up to here three parts of π/4 are exact enough.
const PARTS_MAX: f64 = (1u64 << 29) as f64;

/// The octant that a number of at least 0 lies in, made even, counted modulo 8, and how far it lies from its start, within
/// ±π/4.
pub(super) fn octant(x: f64) -> (u64, f64) {
    if x >= PARTS_MAX { long(x) } else { short(x) }
}

fn short(x: f64) -> (u64, f64) {
    const A: f64 = 0.785_398_125_648_498_5;
    const B: f64 = 3.774_894_707_930_798e-8;
    const C: f64 = 2.695_151_429_079_059_5e-15;
    let mut whole = (x * (4.0 / PI)) as u64;
    whole += whole & 1;
    let count = whole as f64;
    (whole & 7, ((x - count * A) - count * B) - count * C)
}

/// Payne's and Hanek's method: multiplies the mantissa by those digits of 4/π that matter for its exponent.
fn long(x: f64) -> (u64, f64) {
    let bits = x.to_bits();
    let mantissa = bits & 0x000f_ffff_ffff_ffff | 1 << 52;
    let place = ((bits >> 52 & 0x7ff) as i32 - 1023 - 52 + 61) as usize;
    let word = |at: usize| u128::from(FOUR_OVER_PI.get(at).copied().unwrap_or(0));
    let digits = |at: usize| {
        let at = place / 64 + at;
        ((word(at) << 64 | word(at + 1)) << (place % 64) >> 64) as u64
    };
    let wide = |at: usize| u128::from(digits(at)) * u128::from(mantissa);
    let product = (u128::from(digits(0).wrapping_mul(mantissa)) << 64)
        .wrapping_add(wide(1))
        .wrapping_add(wide(2) >> 64);
    let octant = (product >> 125) as u64;
    // The lower word stays where it was, so that its first three digits come twice; it is what Go does.
    let fraction = product << 3 >> 64 << 64 | product & u128::from(u64::MAX);
    // The leading 1 of the fraction goes, as in all floats; the digits after it are cut, not rounded.
    let zeros = ((fraction >> 64) as u64).leading_zeros();
    let digits = ((fraction << (zeros + 1)) >> 76) as u64;
    let near = f64::from_bits(digits | u64::from(1022 - zeros) << 52);
    if octant & 1 == 1 { ((octant + 1) & 7, (near - 1.0) * FRAC_PI_4) } else { (octant, near * FRAC_PI_4) }
}
