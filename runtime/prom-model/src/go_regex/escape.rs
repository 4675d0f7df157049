//! Escapes that stand for one character: `\n`, `\x41`, `\x{1F600}`, `\101`, `\.`.

use super::error::{GoRegexError, GoRegexErrorKind as Kind};
use super::parser::Parser;

/// Reads what follows the backslash at `start`.
pub(super) fn character(parser: &mut Parser<'_>, start: usize) -> Result<char, GoRegexError> {
    let Some(c) = parser.bump() else {
        return Err(GoRegexError { kind: Kind::TrailingBackslash, fragment: String::new(), position: start });
    };
    let found = match c {
        // One digit but zero would be a back-reference, which RE2 does not have.
        '1'..='7' if !parser.peek().is_some_and(is_octal) => None,
        '0'..='7' => {
            let mut code = c as u32 - '0' as u32;
            for _ in 0..2 {
                let Some(digit) = parser.peek().filter(|c| is_octal(*c)) else { break };
                parser.bump();
                code = code * 8 + (digit as u32 - '0' as u32);
            }
            char::from_u32(code)
        }
        'x' => hex(parser),
        'a' => Some('\x07'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    found.ok_or_else(|| parser.error_to_here(Kind::InvalidEscape, start))
}

fn is_octal(c: char) -> bool {
    ('0'..='7').contains(&c)
}

/// Reads `41` or `{1F600}`.
fn hex(parser: &mut Parser<'_>) -> Option<char> {
    let rest = parser.rest();
    let (digits, len) = match rest.strip_prefix('{') {
        Some(inner) => {
            let len = inner.find('}')?;
            (inner.get(..len)?, len + 2)
        }
        None => (rest.get(..2)?, 2),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    // Leading zeros are fine, so the length says nothing.
    let significant = digits.trim_start_matches('0');
    let code = if significant.is_empty() { 0 } else { u32::from_str_radix(significant, 16).ok()? };
    parser.at += len;
    char::from_u32(code)
}
