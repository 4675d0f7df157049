//! Bytes to text: the encodings and characters that YAML allows.

use std::borrow::Cow;

use super::{Mark, Unreadable, mark_of};
use crate::Kind;

/// Larger files are refused before anything is read.
const BYTES_MAX: usize = 16 << 20;

/// Reads UTF-8, or UTF-16 with a byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let start = Mark { line: 1, column: 1 };
    let refuse = |mark, message: &str| Unreadable { mark, kind: Kind::Encoding, message: message.to_owned() };
    if bytes.len() > BYTES_MAX {
        return Err(refuse(start, "the file is larger than 16 MiB: split it"));
    }
    let text =
        match bytes {
            [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes).ok_or_else(|| {
                refuse(start, "the file begins like UTF-16, but is none: write it as UTF-8")
            })?),
            [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes).ok_or_else(|| {
                refuse(start, "the file begins like UTF-16, but is none: write it as UTF-8")
            })?),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
                Err(error) => {
                    let valid =
                        bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
                    let mark = end_of(valid.unwrap_or_default());
                    return Err(refuse(mark, "this is not UTF-8: write the file as UTF-8"));
                }
            },
        };
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        let mark = end_of(text.get(..at).unwrap_or_default());
        let message = format!("the control character U+{:04X} is not allowed: remove it", c as u32);
        return Err(refuse(mark, &message));
    }
    // The libraries that Prometheus uses end lines at these too, as YAML 1.1 has it; the parser here is for YAML 1.2.
    const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    Ok(if text.contains(BREAKS) { Cow::Owned(text.replace(BREAKS, "\n")) } else { text })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    if bytes.len() % 2 == 1 {
        return None;
    }
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => 0,
    });
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

/// The place after a text.
fn end_of(text: &str) -> Mark {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count();
    mark_of(line, column)
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_read() {
        assert_eq!(decode(b"a: b\n").unwrap(), "a: b\n");
        assert_eq!(decode(b"\xEF\xBB\xBFa").unwrap(), "a");
        assert_eq!(decode(b"\xFF\xFEa\0:\0").unwrap(), "a:");
        assert_eq!(decode(b"\xFE\xFF\0a").unwrap(), "a");
        assert_eq!(decode("a:\u{2028}b\u{85}".as_bytes()).unwrap(), "a:\nb\n");
        let bad = decode(b"a: b\nc: \xC3").unwrap_err();
        assert_eq!((bad.mark.line, bad.mark.column, bad.kind), (2, 4, Kind::Encoding));
        let bad = decode(b"a:\n \x01").unwrap_err();
        assert_eq!((bad.mark.line, bad.mark.column), (2, 2));
        assert!(bad.message.contains("U+0001"));
        assert!(decode(&vec![b'a'; BYTES_MAX + 1]).unwrap_err().message.contains("16 MiB"));
    }
}
