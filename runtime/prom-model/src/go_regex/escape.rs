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

/// Reads `41` or `{1F600}`; stops behind the first character that does not belong there.
fn hex(parser: &mut Parser<'_>) -> Option<char> {
    let digit = |c: char| c.to_digit(16);
    let first = parser.bump()?;
    if first != '{' {
        let second = parser.bump();
        return char::from_u32(digit(first)? * 16 + second.and_then(digit)?);
    }
    let mut code: Option<u32> = None;
    loop {
        match parser.bump()? {
            '}' => return code.and_then(char::from_u32),
            // The largest character has few digits, so this cannot overflow.
            c => code = Some(code.unwrap_or(0) * 16 + digit(c)?).filter(|code| *code <= char::MAX as u32),
        }
        code?;
    }
}
