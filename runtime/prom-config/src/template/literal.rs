//! Texts, characters and numbers as Go writes them.

use super::ast::Number;

/// What a text in double quotes or backquotes stands for; `None` if an escape is wrong.
///
/// Bytes that make no UTF-8 are shown as U+FFFD: a label or an annotation could not hold them.
pub(super) fn unquote(quoted: &str) -> Option<String> {
    if let Some(raw) = quoted.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, after) = unescape(rest, '"')?;
        rest = after;
        match unit {
            Unit::Byte(byte) => bytes.push(byte),
            Unit::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The number of a character in its quotes; `None` if it is no single character.
pub(super) fn character(quoted: &str) -> Option<Number> {
    let body = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let (unit, "") = unescape(body, '\'')? else { return None };
    let code = match unit {
        Unit::Byte(byte) => u32::from(byte),
        Unit::Char(c) => u32::from(c),
    };
    Some(Number {
        written: quoted.to_owned(),
        int: Some(i64::from(code)),
        uint: Some(u64::from(code)),
        float: Some(f64::from(code)),
        imaginary: None,
    })
}

enum Unit {
    Byte(u8),
    Char(char),
}

/// The first character of a text, escaped or not, and what follows it.
fn unescape(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        return Some((Unit::Char(first), chars.as_str()));
    }
    let kind = chars.next()?;
    let rest = chars.as_str();
    let simple = |c| Some((Unit::Char(c), rest));
    let digits = |count: usize, radix: u32, rest: &str| -> Option<u32> {
        let digits = rest.get(..count)?;
        digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok())?
    };
    match kind {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        '\\' => simple('\\'),
        c if c == quote => simple(c),
        'x' => Some((Unit::Byte(u8::try_from(digits(2, 16, rest)?).ok()?), rest.get(2..)?)),
        'u' => Some((Unit::Char(char::from_u32(digits(4, 16, rest)?)?), rest.get(4..)?)),
        'U' => Some((Unit::Char(char::from_u32(digits(8, 16, rest)?)?), rest.get(8..)?)),
        '0'..='7' => {
            let rest = text.get(1..)?;
            Some((Unit::Byte(u8::try_from(digits(3, 8, rest)?).ok()?), rest.get(3..)?))
        }
        _ => None,
    }
}

/// A number; `None` if no type holds it.
pub(super) fn number(written: &str) -> Option<Number> {
    let mut number =
        Number { written: written.to_owned(), int: None, uint: None, float: None, imaginary: None };
    if let Some(factor) = written.strip_suffix('i')
        && let Some(factor) = float(factor)
    {
        number.imaginary = Some(factor);
        if factor == 0.0 {
            (number.int, number.uint, number.float) = (Some(0), Some(0), Some(0.0));
        }
        return Some(number);
    }
    if let Some(value) = integer(written) {
        number.int = i64::try_from(value).ok();
        number.uint = u64::try_from(value).ok().filter(|_| !written.starts_with(['+', '-']) || value == 0);
        number.float = number.int.map(|int| int as f64).or(number.uint.map(|uint| uint as f64));
    }
    if number.float.is_none() {
        let value = float(written).filter(|_| written.contains(['.', 'e', 'E', 'p', 'P']))?;
        number.float = Some(value);
        // Whole floats are integers too; 2^63 is the first that is none.
        if value == value.trunc() && value.abs() < 9_223_372_036_854_775_808.0 {
            number.int = Some(value as i64);
        }
        if value == value.trunc() && (0.0..18_446_744_073_709_551_616.0).contains(&value) {
            number.uint = Some(value as u64);
        }
    }
    Some(number)
}

fn integer(written: &str) -> Option<i128> {
    let (negative, digits) = match written.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, written.strip_prefix('+').unwrap_or(written)),
    };
    let lower = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (radix, body) = match lower.as_str() {
        "0x" => (16, digits.get(2..)?),
        "0b" => (2, digits.get(2..)?),
        "0o" => (8, digits.get(2..)?),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    let prefixed = radix != 10;
    let body = underscores(body, prefixed)?;
    if body.is_empty() || !body.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(&body, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The digits without their underscores, each of which stands between two digits or behind a prefix.
fn underscores(body: &str, prefixed: bool) -> Option<String> {
    let leading = body.starts_with('_') && !prefixed;
    if leading || body.ends_with('_') || body.contains("__") {
        return None;
    }
    Some(body.replace('_', ""))
}

fn float(written: &str) -> Option<f64> {
    let (sign, digits) = match written.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, written.strip_prefix('+').unwrap_or(written)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match hex {
        Some(hex) => hex_float(hex)?,
        // Underscores group digits in numbers with a prefix alone.
        None if digits.contains('_') => return None,
        None => digits.parse().ok()?,
    };
    Some(sign * value).filter(|value: &f64| value.is_finite())
}

/// `1.8p-3`: the exponent is one of two and must be there.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let mantissa = mantissa.replace('_', "");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa.as_str(), ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 30 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(u128::from_str_radix(&digits, 16).ok()? as f64 * 2_f64.powi(exponent.checked_sub(scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_their_quotes() {
        assert_eq!(unquote(r#""a\tb\x41\u00e9\101\"""#).as_deref(), Some("a\tbA\u{e9}A\""));
        assert_eq!(unquote("`a\\n\r`").as_deref(), Some("a\\n"));
        assert_eq!(unquote(r#""\xff""#).as_deref(), Some("\u{fffd}"));
        for bad in [r#""\x4""#, r#""\q""#, r#""\ud800""#, r#""\'""#, r#""\400""#] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
        assert_eq!(character(r"'\n'").and_then(|number| number.int), Some(10));
        assert_eq!(character("'ab'"), None);
        assert_eq!(character("''"), None);
    }

    #[test]
    fn numbers_are_of_all_types_that_hold_them() {
        let all = |text: &str| number(text).map(|n| (n.int, n.uint, n.float));
        assert_eq!(all("5"), Some((Some(5), Some(5), Some(5.0))));
        assert_eq!(all("-5"), Some((Some(-5), None, Some(-5.0))));
        assert_eq!(all("0x1F"), Some((Some(31), Some(31), Some(31.0))));
        assert_eq!(all("017"), Some((Some(15), Some(15), Some(15.0))));
        assert_eq!(all("1_000"), Some((Some(1000), Some(1000), Some(1000.0))));
        assert_eq!(all("1e3"), Some((Some(1000), Some(1000), Some(1000.0))));
        assert_eq!(all("1.5"), Some((None, None, Some(1.5))));
        assert_eq!(all("0x1p-2"), Some((None, None, Some(0.25))));
        assert_eq!(all("18446744073709551615"), Some((None, Some(u64::MAX), Some(18446744073709551615.0))));
        assert_eq!(number("2i").and_then(|n| n.imaginary), Some(2.0));
        for bad in ["99999999999999999999", "08", "1__0", "1_", "1e999", "."] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
