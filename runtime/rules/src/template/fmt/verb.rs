//! One value by one verb.

use prom_model::{go_float, quote};

use super::super::time::{Time, go_duration, month_name, weekday_name};
use super::super::value::{IntType, Value};
use super::compound;
use super::float;
use super::spec::{Spec, pad};

/// Prints one argument of a format.
pub(super) fn print(out: &mut String, value: &Value, verb: char, spec: &Spec) {
    match (verb, value) {
        ('v' | 'T', Value::Nothing | Value::Empty) => pad(out, spec, "<nil>"),
        (_, Value::Nothing | Value::Empty) => out.push_str(&format!("%!{verb}(<nil>)")),
        ('T', value) => text(out, value.type_name(), 's', spec, value),
        ('p', _) => bad(out, value, verb),
        _ => inner(out, value, verb, spec, 0),
    }
}

/// Prints a value that stands so deep in others.
pub(super) fn inner(out: &mut String, value: &Value, verb: char, spec: &Spec, depth: usize) {
    if !spec.sharp_v
        && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
        && let Some(shown) = own_text(value)
    {
        return text(out, &shown, verb, spec, value);
    }
    match value {
        Value::Nothing | Value::Empty => match verb {
            'v' => out.push_str("<nil>"),
            _ => out.push_str(&format!("%!{verb}(<nil>)")),
        },
        Value::Bool(known) => match verb {
            't' | 'v' => pad(out, spec, if *known { "true" } else { "false" }),
            _ => bad(out, value, verb),
        },
        Value::Int(number, _) | Value::PlainDuration(number) => {
            integer(out, number.unsigned_abs(), Some(*number < 0), verb, spec, value);
        }
        Value::Uint(number, _) => integer(out, *number, None, verb, spec, value),
        Value::Float(number) => floating(out, *number, verb, spec, value),
        Value::Imaginary(factor) => match verb {
            'v' | 'g' => {
                let sign = if factor.is_sign_negative() || factor.is_infinite() { "" } else { "+" };
                pad(out, spec, &format!("(0{sign}{}i)", go_float(*factor)));
            }
            _ => bad(out, value, verb),
        },
        Value::Text(known) | Value::Html(known) => text(out, known, verb, spec, value),
        _ => compound::print(out, value, verb, spec, depth),
    }
}

/// `%!d(string=x)`: the verb does not fit the value.
pub(super) fn bad(out: &mut String, value: &Value, verb: char) {
    out.push_str(&format!("%!{verb}({}=", value.type_name()));
    let plain = Spec::default();
    match value {
        // While it complains, Go calls no method of the value.
        Value::Int(number, IntType::Month | IntType::Weekday) | Value::PlainDuration(number) => {
            out.push_str(&number.to_string());
        }
        _ => print(out, value, 'v', &plain),
    }
    out.push(')');
}

/// What the `String` method of the value's type gives.
fn own_text(value: &Value) -> Option<String> {
    match value {
        Value::Int(number, IntType::Month) => Some(month_name(*number)),
        Value::Int(number, IntType::Weekday) => Some(weekday_name(*number)),
        Value::Time(time) | Value::PlainTime(time) => Some(Time::to_string(time)),
        Value::Duration(nanos) | Value::PlainDuration(nanos) => Some(go_duration(*nanos)),
        Value::Histogram(histogram) => Some(histogram.to_string()),
        _ => None,
    }
}

fn text(out: &mut String, known: &str, verb: char, spec: &Spec, value: &Value) {
    let cut: String;
    let known = match spec.precision {
        Some(precision) if !matches!(verb, 'x' | 'X') && !spec.sharp_v => {
            cut = known.chars().take(precision).collect();
            &cut
        }
        _ => known,
    };
    match verb {
        'v' if spec.sharp_v => pad(out, spec, &quote(known)),
        'v' | 's' => pad(out, spec, known),
        'q' if spec.sharp && can_backquote(known) => pad(out, spec, &format!("`{known}`")),
        'q' if spec.plus => pad(out, spec, &quote_ascii(known)),
        'q' => pad(out, spec, &quote(known)),
        'x' | 'X' => hex_text(out, known, verb, spec),
        _ => bad(out, value, verb),
    }
}

fn hex_text(out: &mut String, known: &str, verb: char, spec: &Spec) {
    let bytes = known.as_bytes();
    let bytes = bytes.get(..spec.precision.unwrap_or(bytes.len())).unwrap_or(bytes);
    let prefix = if verb == 'x' { "0x" } else { "0X" };
    let mut hex = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if spec.space && index > 0 {
            hex.push(' ');
        }
        if spec.sharp && (index == 0 || spec.space) {
            hex.push_str(prefix);
        }
        hex.push_str(&if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") });
    }
    pad(out, spec, &hex);
}

/// `sign` says whether a signed number is below zero; unsigned ones have none.
fn integer(out: &mut String, number: u64, sign: Option<bool>, verb: char, spec: &Spec, value: &Value) {
    let negative = sign == Some(true);
    let digits = match verb {
        'v' if spec.sharp_v && sign.is_none() => format!("0x{number:x}"),
        'v' | 'd' => number.to_string(),
        'b' => format!("{number:b}"),
        'o' | 'O' => format!("{number:o}"),
        'x' => format!("{number:x}"),
        'X' => format!("{number:X}"),
        'c' => return pad(out, spec, &character(number, negative).to_string()),
        'q' => return pad(out, spec, &quoted_character(character(number, negative), spec.plus)),
        'U' => return unicode(out, number, negative, spec),
        _ => return bad(out, value, verb),
    };
    let plain = Spec { zero: false, ..spec.clone() };
    let least = match (spec.precision, spec.width) {
        (Some(0), _) if number == 0 => return pad(out, &plain, ""),
        (Some(precision), _) => precision,
        (None, Some(width)) if spec.zero => {
            width.saturating_sub(usize::from(negative || spec.plus || spec.space))
        }
        _ => 0,
    };
    let mut digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
    if spec.sharp {
        match verb {
            'b' => digits.insert_str(0, "0b"),
            'o' | 'O' if !digits.starts_with('0') => digits.insert(0, '0'),
            'x' => digits.insert_str(0, "0x"),
            'X' => digits.insert_str(0, "0X"),
            _ => {}
        }
    }
    if verb == 'O' {
        digits.insert_str(0, "0o");
    }
    if negative {
        digits.insert(0, '-');
    } else if spec.plus {
        digits.insert(0, '+');
    } else if spec.space {
        digits.insert(0, ' ');
    }
    pad(out, &plain, &digits);
}

fn character(number: u64, negative: bool) -> char {
    if negative {
        char::REPLACEMENT_CHARACTER
    } else {
        u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

fn quoted_character(c: char, ascii: bool) -> String {
    let text = c.to_string();
    let quoted = if ascii { quote_ascii(&text) } else { quote(&text) };
    let body = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        _ => format!("'{body}'"),
    }
}

fn unicode(out: &mut String, number: u64, negative: bool, spec: &Spec) {
    let number = if negative { number.wrapping_neg() } else { number };
    let least = spec.precision.unwrap_or(4).max(4);
    let mut shown = format!("U+{number:0least$X}");
    if spec.sharp
        && let Some(c) = u32::try_from(number).ok().and_then(char::from_u32)
        && !quote(&c.to_string()).contains("\\x")
        && !quote(&c.to_string()).contains("\\u")
    {
        shown.push_str(&format!(" '{c}'"));
    }
    pad(out, &Spec { zero: false, ..spec.clone() }, &shown);
}

fn floating(out: &mut String, number: f64, verb: char, spec: &Spec, value: &Value) {
    let shown = match (verb, spec.precision) {
        ('v' | 'g' | 'G', None) => go_float(number),
        ('v' | 'g' | 'G', Some(precision)) => float::general(number, precision),
        ('e' | 'E', precision) => float::exponent(number, precision.unwrap_or(6)),
        ('f' | 'F', _) if !number.is_finite() => go_float(number),
        ('f' | 'F', precision) => format!("{number:.*}", precision.unwrap_or(6)),
        ('b', _) => binary_exponent(number),
        ('x' | 'X', precision) => float::hex(number, precision),
        _ => return bad(out, value, verb),
    };
    let shown =
        if matches!(verb, 'G' | 'E' | 'X') && number.is_finite() { shown.to_uppercase() } else { shown };
    let (sign, digits) = match shown.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("+", shown.strip_prefix('+').unwrap_or(&shown)),
    };
    let mut digits = digits.to_owned();
    let sign = if sign == "+" && spec.space && !spec.plus { " " } else { sign };
    if !number.is_finite() {
        let plain = Spec { zero: false, ..spec.clone() };
        // Infinity keeps its sign, a NaN shows one where it is asked for.
        let bare = if number.is_nan() { !spec.space && !spec.plus } else { false };
        return pad(out, &plain, &if bare { digits } else { format!("{sign}{digits}") });
    }
    if spec.sharp && verb != 'b' {
        digits = with_point(&digits, verb, spec.precision);
    }
    if spec.plus || sign != "+" {
        let length = digits.len() + 1;
        match spec.width {
            Some(width) if spec.zero && width > length => {
                out.push_str(sign);
                out.push_str(&"0".repeat(width - length));
                out.push_str(&digits);
            }
            _ => pad(out, spec, &format!("{sign}{digits}")),
        }
        return;
    }
    pad(out, spec, &digits);
}

/// The `#` flag: a point there always is, and zeros at the end stay.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    let hex = matches!(verb, 'x' | 'X');
    let cut = digits.find(|c| if hex { matches!(c, 'p' | 'P') } else { matches!(c, 'e' | 'E') });
    let (mantissa, tail) = digits.split_at(cut.unwrap_or(digits.len()));
    let mut missing = match verb {
        'v' | 'g' | 'G' | 'x' | 'X' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = mantissa.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    missing = missing.saturating_sub(significant);
    let mut shown = mantissa.to_owned();
    if !mantissa.contains('.') {
        if mantissa == "0" {
            missing = missing.saturating_sub(1);
        }
        shown.push('.');
    }
    format!("{shown}{}{tail}", "0".repeat(missing))
}

/// `%b`: a whole number times a power of two.
fn binary_exponent(number: f64) -> String {
    if !number.is_finite() {
        return go_float(number);
    }
    let bits = number.to_bits();
    let exponent = i64::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | (1 << 52), exponent) };
    let exponent = exponent - 1023 - 52;
    let sign = if number.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{}{}", if exponent < 0 { "" } else { "+" }, exponent)
}

fn can_backquote(text: &str) -> bool {
    !text.contains(['`', '\u{7f}', '\u{feff}']) && text.chars().all(|c| c >= ' ' || c == '\t')
}

/// `%+q`: everything beyond ASCII is escaped.
fn quote_ascii(text: &str) -> String {
    let mut out = String::new();
    for c in quote(text).chars() {
        match u32::from(c) {
            0..0x80 => out.push(c),
            code @ 0x80..0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}
