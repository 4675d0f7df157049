//! Numbers: the shortest digits that read back as the same float, laid out as Go lays them out.

const PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Floats below this whose fraction is 0 are whole numbers of at most 15 digits, all of them exact.
const WHOLE_MAX: f64 = 1e15;

/// Writes a whole number.
pub(crate) fn push_whole(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_unsigned(out, value.unsigned_abs());
}

#[inline]
fn push_unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        start -= 2;
        if let (Some(slot), Some(pair)) = (digits.get_mut(start..start + 2), PAIRS.get(pair..pair + 2)) {
            slot.copy_from_slice(pair);
        }
    }
    if value >= 10 {
        let pair = value as usize * 2;
        start -= 2;
        if let (Some(slot), Some(pair)) = (digits.get_mut(start..start + 2), PAIRS.get(pair..pair + 2)) {
            slot.copy_from_slice(pair);
        }
    } else {
        start -= 1;
        if let Some(slot) = digits.get_mut(start) {
            *slot = b'0' + value as u8;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Writes a time as seconds with up to three places.
#[inline]
pub(crate) fn push_time(out: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        out.push(b'-');
    }
    let millis = millis.unsigned_abs();
    push_unsigned(out, millis / 1000);
    let fraction = millis % 1000;
    if fraction != 0 {
        let digit = |value: u64| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
    }
}

/// Writes a float with its quotes: without an exponent from 1e-6 up to, not including, 1e21.
#[inline]
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    push_float_digits(out, value);
    out.push(b'"');
}

/// As [`push_float`], without the quotes.
#[inline]
pub(crate) fn push_float_digits(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    push_digits(out, value, size == 0.0 || (1e-6..1e21).contains(&size));
}

/// The digits of floats that were written lately: those of rates and shares come again and again.
/// Without memory until [`KnownDigits::new`]: the few floats of a small answer are not worth it.
#[derive(Debug, Default)]
pub(crate) struct KnownDigits(Vec<Known>);

#[derive(Debug, Clone, Copy)]
struct Known {
    bits: u64,
    length: u8,
    text: [u8; KNOWN_BYTES],
}

/// Longer digits are rare.
const KNOWN_BYTES: usize = 23;
/// As many as the first cache of a core has room for beside the text.
const KNOWN_MAX: usize = 256;

impl KnownDigits {
    pub(crate) fn new() -> Self {
        KnownDigits(vec![Known { bits: 0, length: 0, text: [0; KNOWN_BYTES] }; KNOWN_MAX])
    }

    /// As [`push_float_digits`].
    #[inline]
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, value: f64) {
        // Whole numbers are written as fast as they are looked up.
        if value.abs() < WHOLE_MAX && value as i64 as f64 == value {
            return push_float_digits(out, value);
        }
        let bits = value.to_bits();
        let place = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
        let Some(known) = self.0.get_mut(place) else { return push_float_digits(out, value) };
        if known.bits == bits && known.length > 0 {
            return out.extend_from_slice(known.text.get(..known.length.into()).unwrap_or_default());
        }
        let start = out.len();
        push_float_digits(out, value);
        let digits = out.get(start..).unwrap_or_default();
        if let Some(text) = known.text.get_mut(..digits.len()) {
            text.copy_from_slice(digits);
            (known.bits, known.length) = (bits, digits.len() as u8);
        }
    }
}

/// Writes a float with its quotes, never with an exponent.
pub(super) fn push_plain_float(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    push_digits(out, value, true);
    out.push(b'"');
}

#[inline]
fn push_digits(out: &mut Vec<u8>, value: f64, plain: bool) {
    if value.abs() < WHOLE_MAX && plain {
        let whole = value as i64;
        if whole as f64 == value && (whole != 0 || value.is_sign_positive()) {
            return push_whole(out, whole);
        }
    }
    if !value.is_finite() {
        let text: &[u8] = match value {
            value if value.is_nan() => b"NaN",
            value if value > 0.0 => b"+Inf",
            _ => b"-Inf",
        };
        return out.extend_from_slice(text);
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    match shortest.bytes().position(|byte| byte == b'e') {
        None if plain => {
            let short = shortest.strip_suffix(".0").unwrap_or(shortest);
            out.extend_from_slice(short.as_bytes());
        }
        exponent => relay(out, shortest, exponent, plain),
    }
}

/// Lays digits out anew: as they are needed, or as mantissa and exponent of at least two digits.
fn relay(out: &mut Vec<u8>, shortest: &str, exponent: Option<usize>, plain: bool) {
    let (mantissa, exponent) = match exponent.and_then(|at| shortest.split_at_checked(at)) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.trim_start_matches(['e', '+']).parse::<i32>().unwrap_or(0))
        }
        None => (shortest, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (front, back) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = front.bytes().chain(back.bytes()).collect();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count().min(digits.len().saturating_sub(1));
    // The point stands behind so many digits.
    let point = front.len() as i32 + exponent - zeros as i32;
    let digits = digits.get(zeros..).unwrap_or_default();
    let end = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let digits = digits.get(..end).unwrap_or(digits);
    if sign {
        out.push(b'-');
    }
    if !plain {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, &[]));
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        let exponent = point - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        return push_unsigned(out, exponent.unsigned_abs().into());
    }
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => {
            out.extend_from_slice(digits);
            out.resize(out.len() + point - digits.len(), b'0');
        }
        Ok(point) if point > 0 => {
            let (front, back) = digits.split_at_checked(point).unwrap_or((digits, &[]));
            out.extend_from_slice(front);
            out.push(b'.');
            out.extend_from_slice(back);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn floats_are_laid_out_as_go_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-12.5, "-12.5"),
            (1e15, "1000000000000000"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (1e20, "100000000000000000000"),
            (1.5e20, "150000000000000000000"),
            (1e21, "1e+21"),
            (1.234e21, "1.234e+21"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1.25e-5, "0.0000125"),
            (9.99e-7, "9.99e-07"),
            (5e-324, "5e-324"),
            (-2.5e-323, "-2.5e-323"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (647_928.070_000_000_1, "647928.0700000001"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn known_digits_are_those_of_the_float() {
        let mut known = KnownDigits::new();
        let (mut seed, mut repeated) = (3u64, 0);
        for round in 0..100_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = match seed >> 60 {
                0 => f64::from_bits(seed ^ seed >> 29),
                1 => -0.0,
                2 => f64::NAN,
                _ => (seed >> 40 & 1023) as f64 / 30.0,
            };
            repeated += usize::from(round > 0 && known.0.iter().any(|known| known.bits == value.to_bits()));
            let mut out = b"before".to_vec();
            known.push(&mut out, value);
            let mut expected = b"before".to_vec();
            push_float_digits(&mut expected, value);
            assert_eq!(out, expected, "{value:e}");
        }
        assert!(repeated > 1_000);
    }

    #[test]
    fn floats_read_back_as_they_were() {
        let mut seed = 7u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(seed ^ seed >> 29);
            if value.is_finite() {
                assert_eq!(float(value).parse::<f64>().unwrap().to_bits(), value.to_bits(), "{value:e}");
                let mut out = Vec::new();
                push_plain_float(&mut out, value);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.trim_matches('"').parse::<f64>().unwrap().to_bits(), value.to_bits());
                assert!(!text.contains('e'));
            }
        }
    }

    #[test]
    fn times_are_seconds_with_the_places_they_need() {
        for (millis, text) in [
            (0, "0"),
            (1_704_078_000_000, "1704078000"),
            (1_704_078_000_500, "1704078000.500"),
            (1_704_078_000_007, "1704078000.007"),
            (-1, "-0.001"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            let mut out = Vec::new();
            push_time(&mut out, millis);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
