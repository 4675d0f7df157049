//! Floats as Go prints them: `strconv.FormatFloat(f, 'g', -1, 64)`, which is also `%g` and `%v`, and with `'f'`.

use std::fmt::Write;

/// The shortest text that reads back as the same number, with an exponent of at least two digits below 1e-4 and from a
/// million on. A NaN's sign and payload are not shown.
pub fn go_float(value: f64) -> String {
    let mut text = String::new();
    push_go_float(&mut text, value);
    text
}

/// Appends what [`go_float`] gives.
pub fn push_go_float(into: &mut String, value: f64) {
    if value.is_nan() {
        return into.push_str("NaN");
    }
    if value.is_infinite() {
        return into.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    if value == value.trunc() && value.abs() < 1e6 && (value != 0.0 || value.is_sign_positive()) {
        // Writing to a text cannot fail, here and below.
        let _ = write!(into, "{}", value as i32);
        return;
    }
    let start = into.len();
    let _ = write!(into, "{value:e}");
    let exponent = into
        .get(start..)
        .and_then(|text| text.split_once('e'))
        .map(|(mantissa, exponent)| (start + mantissa.len(), exponent.parse::<i32>().unwrap_or_default()));
    let Some((mantissa_end, exponent)) = exponent else { return };
    let round_down = into
        .get(start..)
        .and_then(|text| text.split_at_checked(mantissa_end - start))
        .is_some_and(|(mantissa, exponent)| even_is_below(value, mantissa, exponent));
    if (-4..6).contains(&exponent) {
        into.truncate(start);
        let _ = write!(into, "{value}");
    } else {
        into.truncate(mantissa_end);
    }
    if round_down && let Some(digit) = into.pop().and_then(|digit| digit.to_digit(10)) {
        let _ = write!(into, "{}", digit.saturating_sub(1));
    }
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(into, "e{sign}{:02}", exponent.abs());
    }
}

/// As [`go_float`], but never with an exponent: `strconv.FormatFloat(f, 'f', -1, 64)`.
pub fn go_plain_float(value: f64) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let mut text = value.to_string();
    if text.len() > 15 {
        let written = format!("{value:e}");
        let (mantissa, exponent) = written.split_at(written.find('e').unwrap_or(written.len()));
        if even_is_below(value, mantissa, exponent)
            && let Some(digit) = text.pop().and_then(|digit| digit.to_digit(10))
        {
            let _ = write!(text, "{}", digit.saturating_sub(1));
        }
    }
    text
}

/// Some floats lie exactly in the middle between the two shortest texts that read back as them. Then Go takes the one with the
/// even last digit, Rust the upper one: whether that ends in an odd digit, so that the one below is Go's.
fn even_is_below(value: f64, mantissa: &str, written_exponent: &str) -> bool {
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // A half of the last place is less than half the distance of two floats only behind so many digits.
    if digits < 15 || mantissa.bytes().last().is_none_or(|digit| digit % 2 == 0) {
        return false;
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (significand, exponent) = match (bits >> 52 & 0x7ff) as i32 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased - 1075),
    };
    let zeros = significand.trailing_zeros();
    let places = -(exponent + zeros as i32);
    // Exactly, the number has so many decimal places, the last of them a 5; of interest are up to 18 digits in all.
    if !(1..=25).contains(&places) {
        return false;
    }
    let exact = u128::from(significand >> zeros) * 5u128.pow(places.unsigned_abs());
    if exact.checked_ilog10().is_none_or(|log| log as usize != digits) {
        return false;
    }
    // Below a power of two floats are nearer to each other: the lower text may be another float's.
    let Some((front, last)) = mantissa.split_at_checked(mantissa.len() - 1) else { return false };
    let below = last.parse::<u8>().map_or(0, |digit| digit.saturating_sub(1));
    format!("{front}{below}{written_exponent}").parse() == Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{go_float, go_plain_float};

    #[test]
    fn prints_as_go_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-12.5, "-12.5"),
            (999_999.0, "999999"),
            (-999_999.5, "-999999.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1.795_361_658_066_034_8e9, "1.7953616580660348e+09"),
            (1e21, "1e+21"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
            (1_202_570_998_376_354.3, "1.2025709983763542e+15"),
            (1_202_570_998_376_354.8, "1.2025709983763548e+15"),
            (-902_286_420_523_789.3, "-9.022864205237892e+14"),
            (2f64.powi(-25), "2.9802322387695312e-08"),
            (2f64.powi(-24), "5.960464477539063e-08"),
            (211.0 / 2_097_152.0, "0.00010061264038085938"),
            (213.0 / 2_097_152.0, "0.00010156631469726562"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(go_float(value), text);
        }
    }
    #[test]
    fn prints_without_exponent_as_go_does() {
        for (value, text) in [
            (-0.0, "-0"),
            (1e21, "1000000000000000000000"),
            (1.25e-7, "0.000000125"),
            (-2_223_383_459_647_628.2, "-2223383459647628.2"),
            (1_250_000_000_000_001.2, "1250000000000001.2"),
            (1_250_000_000_000_001.8, "1250000000000001.8"),
            (211.0 / 2_097_152.0, "0.00010061264038085938"),
            (213.0 / 2_097_152.0, "0.00010156631469726562"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(go_plain_float(value), text);
        }
    }
}
