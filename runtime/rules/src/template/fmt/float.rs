//! Floats by Go's rules: `strconv.FormatFloat` with and without a precision.

use prom_model::go_float;

/// `%.4g` and the like: so many significant digits, an exponent where the number is too large or too small for them.
pub(in super::super) fn general(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let digits = digits.max(1);
    let (sign, mantissa, exponent) = scientific(value, digits - 1);
    let significant = mantissa.trim_end_matches('0').len().max(1);
    let point = exponent + 1;
    let limit = match i64::try_from(digits) {
        Ok(limit) => {
            let known = i64::try_from(significant).unwrap_or(limit);
            if limit > known && known >= point { known } else { limit }
        }
        Err(_) => i64::MAX,
    };
    let mantissa = mantissa.get(..significant).unwrap_or_default();
    if exponent < -4 || exponent >= limit {
        return format!("{sign}{}", with_exponent(mantissa, exponent));
    }
    format!("{sign}{}", positional(mantissa, point))
}

/// `%.3e` and the like: one digit before the point and so many after it.
pub(super) fn exponent(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let (sign, mantissa, exponent) = scientific(value, decimals);
    format!("{sign}{}", with_exponent(&mantissa, exponent))
}

/// `%x`: a hexadecimal mantissa and an exponent of two.
pub(super) fn hex(value: f64, digits: Option<usize>) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let bits = value.abs().to_bits();
    if bits == 0 {
        let zeros = "0".repeat(digits.unwrap_or(0));
        return format!("{sign}0x0{}{zeros}p+00", if zeros.is_empty() { "" } else { "." });
    }
    let mut exponent = i64::try_from(bits >> 52).unwrap_or(0) - 1023;
    let mut mantissa = bits & ((1 << 52) - 1) | (1 << 52);
    if exponent == -1023 {
        mantissa &= (1 << 52) - 1;
        exponent = -1022;
        while mantissa & (1 << 52) == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
    }
    if let Some(digits) = digits.filter(|digits| *digits < 13) {
        // Half to even, as everywhere.
        let shift = (13 - digits) * 4;
        let (kept, rest, half) = (mantissa >> shift, mantissa & ((1 << shift) - 1), 1_u64 << (shift - 1));
        let up = rest > half || (rest == half && kept & 1 == 1);
        mantissa = (kept + u64::from(up)) << shift;
        if mantissa >= 1 << 53 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match digits {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) if digits <= 13 => fraction.get(..digits).unwrap_or_default().to_owned(),
        Some(digits) => format!("{fraction}{}", "0".repeat(digits - 13)),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x1{point}{fraction}p{exponent_sign}{:02}", exponent.unsigned_abs())
}

/// The sign, the digits and the exponent of the first digit.
fn scientific(value: f64, decimals: usize) -> (&'static str, String, i64) {
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    (sign, mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i64) -> String {
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs())
}

/// The digits with the point behind the first `point` of them.
fn positional(digits: &str, point: i64) -> String {
    let Ok(point) = usize::try_from(point) else {
        let zeros = usize::try_from(point.unsigned_abs()).unwrap_or(0);
        return format!("0.{}{digits}", "0".repeat(zeros));
    };
    if point == 0 {
        return format!("0.{digits}");
    }
    match digits.split_at_checked(point) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{fraction}"),
        None => format!("{digits}{}", "0".repeat(point - digits.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (100.0, "100"),
            (1234.5678, "1235"),
            (12345.0, "1.234e+04"),
            (12355.0, "1.236e+04"),
            (0.000123456, "0.0001235"),
            (0.0000123456, "1.235e-05"),
            (999.95, "1000"),
            (9999.5, "1e+04"),
            (-1.5, "-1.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(general(value, 4), text);
        }
        assert_eq!(general(123456.0, 17), "123456");
        assert_eq!(exponent(1234.5, 2), "1.23e+03");
        assert_eq!(hex(1.5, None), "0x1.8p+00");
        assert_eq!(hex(-0.1, Some(2)), "-0x1.9ap-04");
        assert_eq!(hex(0.0, Some(2)), "0x0.00p+00");
    }
}
