//! Strings in double quotes, single quotes and backticks.

use super::{Lexed, Lexer};
use crate::token::TokenKind;

/// Prometheus cannot tell the replacement character from bytes that are no text.
const NOT_UTF8: &str = "invalid UTF-8 rune";

impl Lexer<'_> {
    /// Reads a string in double or single quotes after its first quote.
    pub(super) fn quoted(&mut self, quote: char) -> Lexed {
        let mut value = Vec::new();
        loop {
            match self.bump() {
                None | Some('\n') => return Err("unterminated quoted string".into()),
                Some('\u{fffd}') => return Err(NOT_UTF8.into()),
                Some('\\') => self.escape(quote, &mut value)?,
                Some(c) if c == quote => break,
                Some(c) => push(&mut value, c),
            }
        }
        // Only `\x` and octal escapes can get here with bytes that are no text.
        Ok(match String::from_utf8(value) {
            Ok(text) => TokenKind::String(text),
            Err(error) => TokenKind::Bytes(error.into_bytes()),
        })
    }

    /// Reads a string in backticks after its first one.
    pub(super) fn raw_string(&mut self) -> Lexed {
        let Some(len) = self.rest().find(['`', '\u{fffd}']) else {
            self.at = self.input.len();
            return Err("unterminated raw string".into());
        };
        if !self.rest().get(len..).is_some_and(|rest| rest.starts_with('`')) {
            return Err(NOT_UTF8.into());
        }
        let text = self.rest().get(..len).unwrap_or("").to_owned();
        self.at += len + 1;
        Ok(TokenKind::String(text))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, quote: char, value: &mut Vec<u8>) -> Result<(), String> {
        let Some(c) = self.bump() else {
            return Err("escape sequence not terminated".to_owned());
        };
        let (digits, radix) = match c {
            'a' => return simple(value, 0x07),
            'b' => return simple(value, 0x08),
            'f' => return simple(value, 0x0c),
            'n' => return simple(value, b'\n'),
            'r' => return simple(value, b'\r'),
            't' => return simple(value, b'\t'),
            'v' => return simple(value, 0x0b),
            '\\' => return simple(value, b'\\'),
            c if c == quote => {
                push(value, c);
                return Ok(());
            }
            '0'..='7' => (3, 8),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            c => return Err(format!("unknown escape sequence {}", code_point(c))),
        };
        if radix == 8 {
            self.at -= 1;
        }
        let mut code: u32 = 0;
        for _ in 0..digits {
            let digit = self.peek().ok_or("escape sequence not terminated")?;
            let number = digit
                .to_digit(radix)
                .ok_or_else(|| format!("illegal character {} in escape sequence", code_point(digit)))?;
            self.bump();
            // Eight hexadecimal digits fit.
            code = code.wrapping_mul(radix).wrapping_add(number);
        }
        if matches!(c, 'u' | 'U') {
            let c = char::from_u32(code).ok_or("escape sequence is an invalid Unicode code point")?;
            push(value, c);
        } else {
            let byte = u8::try_from(code).map_err(|_| "escape sequence is an invalid Unicode code point")?;
            value.push(byte);
        }
        Ok(())
    }
}

fn simple(value: &mut Vec<u8>, byte: u8) -> Result<(), String> {
    value.push(byte);
    Ok(())
}

fn push(value: &mut Vec<u8>, c: char) {
    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A character as messages about escapes show it: `U+0071 'q'`, `U+0007` where it cannot be printed.
fn code_point(c: char) -> String {
    let code = format!("U+{:04X}", c as u32);
    let printable = matches!(c, '"' | '\\') || prom_model::quote(&c.to_string()).contains(c);
    if printable { format!("{code} '{c}'") } else { code }
}
