//! Numbers (`1`, `0x1F`, `1_000`, `1e3`, `.5`) and durations (`1h30m`).
//!
//! What is no number is only partly found here: `1e)` is a number token whose value cannot be read. Prometheus cuts
//! its tokens in this way, and its messages quote them.

use prom_model::quote;

use super::{Lexed, Lexer, is_alphanumeric};
use crate::token::TokenKind;

impl Lexer<'_> {
    /// Reads a number or a duration, whichever the text is; a digit or a dot and a digit come next.
    pub(super) fn number_or_duration(&mut self) -> Lexed {
        let start = self.at;
        if self.scan_number() {
            return Ok(TokenKind::Number);
        }
        // A duration goes on where the number ended: the letter in `5m` is what made it none.
        if self.scan_units() {
            return Ok(TokenKind::Duration);
        }
        let text = self.input.get(start..self.at).unwrap_or("");
        Err(format!("bad number or duration syntax: {}", quote(text)).into())
    }

    /// Goes over a number, as far as it can be one; says whether it ended as one.
    ///
    /// In series there are no hexadecimal numbers, and an `x` may follow.
    pub(super) fn scan_number(&mut self) -> bool {
        let (start, query) = (self.at, !self.in_series);
        let mut hexadecimal = false;
        if query && self.eat('0') && self.eat_any("xX") {
            hexadecimal = true;
            self.eat('_');
        }
        let is_digit = |c: char| if hexadecimal { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        self.eat('.');
        if self.peek().is_some_and(is_digit) {
            self.bump();
        }
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            match c {
                '.' => {
                    self.bump();
                    if dot || self.eat_any("_.") || hexadecimal {
                        return false;
                    }
                    dot = true;
                }
                'e' | 'E' => {
                    self.bump();
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.eat_any("+-");
                    if self.eat_any("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.bump();
                    if self.eat_any("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                c if is_digit(c) => self.skip_while(is_digit),
                _ => break,
            }
        }
        let follows = self.peek();
        self.at > start && (!follows.is_some_and(is_alphanumeric) || (!query && follows == Some('x')))
    }

    /// Goes over `m`, `h30m`, `ms`: the rest of a duration behind its first number. Which units there are is found
    /// when the duration is read.
    fn scan_units(&mut self) -> bool {
        if !self.eat_any("smhdwy") {
            return false;
        }
        self.eat('s');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.eat_any("smhdw") {
                return false;
            }
            self.eat('s');
        }
        let ended = !self.peek().is_some_and(is_alphanumeric);
        if !ended {
            self.bump();
        }
        ended
    }
}

/// Why a number token is none, in the words of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    Syntax,
    Range,
}

impl NumberError {
    /// The message for the text.
    pub(crate) fn message(self, text: &str) -> String {
        let what = match self {
            NumberError::Syntax => "invalid syntax",
            NumberError::Range => "value out of range",
        };
        format!("strconv.ParseFloat: parsing {}: {what}", quote(text))
    }
}

/// The bits of the NaN that Go reads.
const GO_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// The value of a number token.
pub(crate) fn value(text: &str) -> Result<f64, NumberError> {
    match text.to_ascii_lowercase().as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(GO_NAN),
        _ => {}
    }
    if !underscores_separate_digits(text) {
        return Err(NumberError::Syntax);
    }
    let plain = text.replace('_', "");
    if let Some(hex) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        // As a float, a hexadecimal number would need an exponent.
        return i64::from_str_radix(hex, 16).map(|n| n as f64).map_err(|_| NumberError::Syntax);
    }
    // A leading zero makes an integer octal, unless it has a digit that octal lacks.
    let octal =
        plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if octal && let Ok(n) = i64::from_str_radix(&plain, 8) {
        return Ok(n as f64);
    }
    let value: f64 = plain.parse().map_err(|_| NumberError::Syntax)?;
    if value.is_finite() { Ok(value) } else { Err(NumberError::Range) }
}

/// Whether each underscore stands between digits, or between `0x` and one.
fn underscores_separate_digits(text: &str) -> bool {
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let is_digit = |b: u8| if hexadecimal { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let bytes = text.as_bytes();
    let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied();
    bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(at, _)| {
        let before = byte(at.checked_sub(1));
        let prefix = hexadecimal && at == 2;
        (prefix || before.is_some_and(is_digit)) && byte(Some(at + 1)).is_some_and(is_digit)
    })
}
