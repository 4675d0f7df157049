//! Floats as Go prints them: `strconv.FormatFloat(f, 'g', -1, 64)`, which is also `%g` and `%v`.

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
    if (-4..6).contains(&exponent) {
        into.truncate(start);
        let _ = write!(into, "{value}");
    } else {
        into.truncate(mantissa_end);
        if is_odd_quarter(value) && into.ends_with('3') {
            into.pop();
            into.push('2');
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(into, "e{sign}{:02}", exponent.abs());
    }
}

/// Whether the number is n + 1/4 so large that `.2` and `.3` both read back as it, being equally near: then Go prints `.2`.
/// No other float has two shortest texts.
fn is_odd_quarter(value: f64) -> bool {
    const FROM: f64 = (1u64 << 49) as f64;
    const TO: f64 = (1u64 << 51) as f64;
    (FROM..TO).contains(&value.abs()) && value.abs().fract() == 0.25
}

#[cfg(test)]
mod tests {
    use super::go_float;

    #[test]
    #[expect(clippy::excessive_precision, reason = "halfway between two texts is what is tested")]
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
            (1_202_570_998_376_354.25, "1.2025709983763542e+15"),
            (1_202_570_998_376_354.75, "1.2025709983763548e+15"),
            (-902_286_420_523_789.25, "-9.022864205237892e+14"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(go_float(value), text);
        }
    }
}
