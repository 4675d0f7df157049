//! Numbers (`1`, `0x1F`, `1_000`, `1e3`, `.5`) and durations (`1h30m`).

use prom_model::quote;

use super::{Lexed, Lexer, is_alphanumeric};
use crate::token::TokenKind;

impl Lexer<'_> {
    /// Reads a number or a duration, whichever the text is; a digit or a dot and a digit come next.
    pub(super) fn number_or_duration(&mut self) -> Lexed {
        let text = self.rest();
        for (len, kind) in [(number(text), TokenKind::Number), (duration(text), TokenKind::Duration)] {
            let Some(len) = len else { continue };
            if !text.get(len..).is_some_and(|rest| rest.starts_with(|c| is_alphanumeric(c) || c == '.')) {
                self.at += len;
                return Ok(kind);
            }
        }
        let wrong = text.len() - text.trim_start_matches(|c| is_alphanumeric(c) || c == '.').len();
        self.at += wrong;
        Err(format!("bad number or duration syntax: {}", quote(text.get(..wrong).unwrap_or(""))))
    }
}

/// The length of the number at the start of the text.
fn number(text: &str) -> Option<usize> {
    if text.starts_with("0x") || text.starts_with("0X") {
        let prefix = if text.as_bytes().get(2) == Some(&b'_') { 3 } else { 2 };
        return digits(text, prefix, |b| b.is_ascii_hexdigit());
    }
    let decimal = |b: u8| b.is_ascii_digit();
    let byte = |at: usize| text.as_bytes().get(at).copied();
    let mut at = digits(text, 0, decimal);
    if byte(at.unwrap_or(0)) == Some(b'.') {
        let after_dot = at.unwrap_or(0) + 1;
        at = digits(text, after_dot, decimal).or(at.map(|_| after_dot));
    }
    let end = at?;
    if !matches!(byte(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let sign = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
    digits(text, end + 1 + sign, decimal)
}

/// The end of a run of digits from `from`, single underscores between them allowed.
fn digits(text: &str, from: usize, is_digit: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes().get(from..)?;
    let mut len = 0;
    loop {
        len += bytes.get(len..)?.iter().take_while(|b| is_digit(**b)).count();
        let joined = len > 0
            && bytes.get(len) == Some(&b'_')
            && bytes.get(len + 1).is_some_and(|next| is_digit(*next));
        if !joined {
            return (len > 0).then_some(from + len);
        }
        len += 1;
    }
}

/// The length of the duration at the start of the text; units may be wrong, which is found when it is read.
fn duration(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += bytes.get(at..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        if !matches!(bytes.get(at), Some(b's' | b'm' | b'h' | b'd' | b'w' | b'y')) {
            return None;
        }
        at += 1;
        // For `ms`.
        at += usize::from(bytes.get(at) == Some(&b's'));
    }
    (at > 0).then_some(at)
}

/// The value of a number token; `None` where it is out of range.
pub(crate) fn value(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" => return Some(f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    let plain = text.replace('_', "");
    if let Some(hex) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|n| n as f64);
    }
    // A leading zero makes an integer octal, unless it has a digit that octal lacks.
    let octal =
        plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if octal && let Ok(n) = i64::from_str_radix(&plain, 8) {
        return Some(n as f64);
    }
    plain.parse().ok().filter(|n: &f64| n.is_finite())
}
