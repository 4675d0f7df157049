//! What Go 1.19 gives on amd64, to the bit; another last bit is what the C library gives for many of these.

use super::*;

/// A function and its values, as bits, at the arguments of the test.
type Row = (fn(f64) -> f64, [u64; 5]);

const ARGUMENTS: [f64; 5] = [0.3, 0.9, 5.7, 1.503_320_320_135_180_5e9, 2.5e-323];

const VALUES: [Row; 17] = [
    (
        exp,
        [
            0x3ff5_9905_8c8c_1a96,
            0x4003_ad44_655c_78bc,
            0x4072_ade0_dfd6_20af,
            0x7ff0_0000_0000_0000,
            0x3ff0_0000_0000_0000,
        ],
    ),
    (
        exp2,
        [
            0x3ff3_b2c4_7bff_8329,
            0x3ffd_db68_0117_ab12,
            0x4049_fdf8_bcce_533e,
            0x7ff0_0000_0000_0000,
            0x3ff0_0000_0000_0000,
        ],
    ),
    (
        ln,
        [
            0xbff3_4378_fcbd_a721,
            0xbfba_f8e8_210a_415c,
            0x3ffb_d8f3_0f4b_bf38,
            0x4035_2185_6afb_34ab,
            0xc086_28b7_6e3a_7b61,
        ],
    ),
    (
        log2,
        [
            0xbffb_ca9c_6f53_897a,
            0xbfc3_74d6_5d9e_608d,
            0x4004_1673_33e6_61c4,
            0x403e_7c4a_1342_a170,
            0xc090_beb6_587b_432e,
        ],
    ),
    (
        log10,
        [
            0xbfe0_bb6c_34d8_1502,
            0xbfa7_6d86_9b02_a02e,
            0x3fe8_3020_771f_6d1f,
            0x4022_5aa6_7f73_1fda,
            0xc073_3f42_4bcb_5221,
        ],
    ),
    (
        sin,
        [
            0x3fd2_e9cd_95ba_ba33,
            0x3fe9_1103_985d_a841,
            0xbfe1_9f37_497a_c7a0,
            0x3efd_d1e0_effb_9da6,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        cos,
        [
            0x3fee_921d_d42f_09ba,
            0x3fe3_e43a_9692_e21d,
            0x3fea_b5f7_960d_fe2a,
            0x3fef_ffff_ffc8_6c70,
            0x3ff0_0000_0000_0000,
        ],
    ),
    (
        tan,
        [
            0x3fd3_cc2a_44e2_9998,
            0x3ff4_299b_a9c2_a137,
            0xbfe5_1c83_499b_4cc8,
            0x3efd_d1e0_f02f_67e4,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        asin,
        [
            0x3fd3_8015_9e14_f6ff,
            0x3ff1_ea93_705f_a172,
            0x7ff8_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        acos,
        [
            0x3ff4_41f5_ecbe_ef58,
            0x3fdc_dd9f_8f92_2e98,
            0x7ff8_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x3ff9_21fb_5444_2d18,
        ],
    ),
    (
        atan,
        [
            0x3fd2_a73a_661e_af06,
            0x3fe7_7338_a806_03be,
            0x3ff6_5a9f_e0f2_0775,
            0x3ff9_21fb_5416_76e0,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        sinh,
        [
            0x3fd3_7d42_af54_b926,
            0x3ff0_6c9c_cd5b_6af8,
            0x4062_add3_2b56_5d45,
            0x7ff0_0000_0000_0000,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        cosh,
        [
            0x3ff0_b9b4_e0b6_ec4c,
            0x3ff6_edeb_fd5d_8680,
            0x4062_adee_9455_e419,
            0x7ff0_0000_0000_0000,
            0x3ff0_0000_0000_0000,
        ],
    ),
    (
        tanh,
        [
            0x3fd2_a4dd_a7d9_14fa,
            0x3fe6_ebe9_82d6_605d,
            0x3fef_ffd1_0b13_0302,
            0x3ff0_0000_0000_0000,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        asinh,
        [
            0x3fd2_ec4e_a565_fcc1,
            0x3fe9_e23c_e96e_38d4,
            0x4003_879e_b8df_d8c0,
            0x4035_d2f7_82f3_067a,
            0x0000_0000_0000_0005,
        ],
    ),
    (
        acosh,
        [
            0x7ff8_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x4003_6818_ad5e_fdf0,
            0x4035_d2f7_82f3_067a,
            0x7ff8_0000_0000_0000,
        ],
    ),
    (
        atanh,
        [
            0x3fd3_cf2b_5061_7c96,
            0x3ff7_8e36_0604_b32d,
            0x7ff8_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x0000_0000_0000_0005,
        ],
    ),
];

const POWERS: [(f64, f64, u64); 7] = [
    (2.5, 3.7, 0x403d_ac93_f32d_18dd),
    (10.0, -3.0, 0x3f50_624d_d2f1_a9fc),
    (-3.0, 5.0, 0xc06e_6000_0000_0000),
    (0.99, 1e6, 0),
    (1.000_000_1, 1e10, 0x7ff0_0000_0000_0000),
    (2.0, -1074.0, 1),
    (7.0, 300.0, 0x7492_763c_f89c_12d6),
];

fn same(value: f64, bits: u64) -> bool {
    value.to_bits() == bits || value.is_nan() && f64::from_bits(bits).is_nan()
}

#[test]
fn functions_of_one_number_round_as_go_does() {
    for (at, (function, values)) in VALUES.iter().enumerate() {
        for (x, bits) in ARGUMENTS.into_iter().zip(values) {
            let value = function(x);
            assert!(same(value, *bits), "row {at} at {x}: {value:e}, want {:e}", f64::from_bits(*bits));
        }
    }
}

#[test]
fn powers_round_as_go_does() {
    for (base, power, bits) in POWERS {
        assert!(same(pow(base, power), bits), "{base}^{power}: {:e}", pow(base, power));
    }
    assert!(pow(-3.0, 0.5).is_nan());
    assert_eq!(pow(f64::NAN, 0.0), 1.0);
    assert_eq!(pow(-1.0, f64::INFINITY), 1.0);
    assert_eq!(pow(f64::NEG_INFINITY, -3.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(pow(-0.0, -3.0), f64::NEG_INFINITY);
    assert_eq!(atan2(-0.0, -1.0), -std::f64::consts::PI);
}

#[test]
fn infinity_is_greater_than_nan() {
    assert_eq!(max(f64::NAN, f64::INFINITY), f64::INFINITY);
    assert_eq!(min(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
    assert!(max(f64::NAN, 1.0).is_nan() && min(1.0, f64::NAN).is_nan());
    assert_eq!(max(-0.0, 0.0).to_bits(), 0);
    assert_eq!(min(0.0, -0.0).to_bits(), (-0.0f64).to_bits());
}
