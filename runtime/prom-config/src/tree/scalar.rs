//! What a scalar is, by the rules of the YAML libraries that Prometheus uses.

use super::{Content, Node};

const CORE: &str = "tag:yaml.org,2002:";

/// The library that reads the file: configurations go through version 2, rule files through version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    V2,
    V3,
}

/// A scalar with its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// A number above what fits the signed type.
    Uint(u64),
    Float(f64),
    Text,
    /// A tag that does not fit the text, such as `!!int abc`.
    Misfit,
}

/// The type of a scalar; `None` for a list or a mapping.
pub(crate) fn resolve(node: &Node<'_>, dialect: Dialect) -> Option<Resolved> {
    let Content::Scalar { text, plain } = &node.content else { return None };
    let tag = node.tag.as_ref();
    if tag.is_empty() {
        return Some(if *plain { plain_type(text, dialect, true) } else { Resolved::Text });
    }
    let Some(core) = tag.strip_prefix(CORE) else { return Some(Resolved::Text) };
    let found = || plain_type(text, dialect, false);
    Some(match core {
        "null" => {
            // Version 2 takes the tag for its word, version 3 looks at the text.
            if dialect == Dialect::V2 || found() == Resolved::Null {
                Resolved::Null
            } else {
                Resolved::Misfit
            }
        }
        "bool" => match found() {
            Resolved::Bool(value) => Resolved::Bool(value),
            _ => Resolved::Misfit,
        },
        "int" => match found() {
            number @ (Resolved::Int(_) | Resolved::Uint(_)) => number,
            _ => Resolved::Misfit,
        },
        "float" => match found() {
            Resolved::Int(value) => Resolved::Float(value as f64),
            Resolved::Float(value) => Resolved::Float(value),
            _ => Resolved::Misfit,
        },
        "timestamp" => {
            if is_timestamp(text) {
                Resolved::Text
            } else {
                Resolved::Misfit
            }
        }
        _ => Resolved::Text,
    })
}

fn plain_type(text: &str, dialect: Dialect, timestamps: bool) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if dialect == Dialect::V2
        && let Some(value) = old_bool(text)
    {
        return Resolved::Bool(value);
    }
    match text.bytes().next() {
        Some(b'.') if is_float(text) => float(text).map_or(Resolved::Text, Resolved::Float),
        Some(b'+' | b'-' | b'0'..=b'9') if !(timestamps && is_timestamp(text)) => number(text),
        _ => Resolved::Text,
    }
}

/// The further words for true and false of YAML 1.1.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Resolved {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, plain.get(1..).unwrap_or_default()),
        Some(b'+') => (false, plain.get(1..).unwrap_or_default()),
        _ => (false, plain.as_str()),
    };
    let signed = plain.starts_with(['-', '+']);
    let lower = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (radix, body) = match lower.as_str() {
        "0x" => (16, digits.get(2..).unwrap_or_default()),
        "0b" => (2, digits.get(2..).unwrap_or_default()),
        "0o" => (8, digits.get(2..).unwrap_or_default()),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..).unwrap_or_default()),
        _ => (10, digits),
    };
    if !body.is_empty()
        && body.bytes().all(|b| b.is_ascii_alphanumeric())
        && let Ok(value) = i128::from_str_radix(body, radix)
    {
        let value = if negative { -value } else { value };
        if let Ok(value) = i64::try_from(value) {
            return Resolved::Int(value);
        }
        if !signed && let Ok(value) = u64::try_from(value) {
            return Resolved::Uint(value);
        }
    }
    if is_float(&plain) { float(&plain).map_or(Resolved::Text, Resolved::Float) } else { Resolved::Text }
}

/// Digits with an optional point and exponent, and a sign.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(rest);
    let rest = rest.get(whole..).unwrap_or_default();
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let length = digits(fraction);
            if whole == 0 && length == 0 {
                return false;
            }
            fraction.get(length..).unwrap_or_default()
        }
        None if whole == 0 => return false,
        None => rest,
    };
    match rest.strip_prefix(['e', 'E']) {
        None => rest.is_empty(),
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
    }
}

fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Whether the text has the form of a date: it is a text then, never a number.
fn is_timestamp(text: &str) -> bool {
    let (year, rest) = match text.split_once('-') {
        Some((year, rest)) => (year, rest),
        None => return false,
    };
    year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && rest.contains('-')
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::tree::Mark;

    fn scalar(text: &str, tag: &str, plain: bool, dialect: Dialect) -> Resolved {
        let content = Content::Scalar { text: Cow::Borrowed(text), plain };
        let tag = if tag.is_empty() { String::new() } else { format!("{CORE}{tag}") };
        resolve(&Node { mark: Mark::default(), tag: Cow::Owned(tag), content }, dialect).unwrap()
    }

    #[test]
    fn plain_scalars() {
        let check = |text: &str, expect: Resolved| {
            assert_eq!(scalar(text, "", true, Dialect::V2), expect, "{text}");
        };
        check("", Resolved::Null);
        check("~", Resolved::Null);
        check("yes", Resolved::Bool(true));
        check("n", Resolved::Bool(false));
        check("0777", Resolved::Int(511));
        check("0o17", Resolved::Int(15));
        check("0x1F", Resolved::Int(31));
        check("-0b11", Resolved::Int(-3));
        check("1_000", Resolved::Int(1000));
        check("08", Resolved::Float(8.0));
        check("1.5", Resolved::Float(1.5));
        check(".5e1", Resolved::Float(5.0));
        check("1e400", Resolved::Text);
        check("18446744073709551615", Resolved::Uint(u64::MAX));
        check("2024-01-01", Resolved::Text);
        check("1h30m", Resolved::Text);
        check(".", Resolved::Text);
        check("-", Resolved::Text);
    }

    #[test]
    fn quotes_and_tags() {
        assert_eq!(scalar("yes", "", false, Dialect::V2), Resolved::Text);
        assert_eq!(scalar("yes", "", true, Dialect::V3), Resolved::Text);
        assert_eq!(scalar("5", "str", true, Dialect::V2), Resolved::Text);
        assert_eq!(scalar("5", "float", true, Dialect::V2), Resolved::Float(5.0));
        assert_eq!(scalar("x", "int", true, Dialect::V2), Resolved::Misfit);
        assert_eq!(scalar("x", "null", true, Dialect::V2), Resolved::Null);
    }
}
