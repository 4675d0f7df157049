//! Strings, and what opens like one: quotes of other languages, missing ends, escapes and keywords that do not exist.

use std::ops::Range;

use super::{QUOTED_BYTES_MAX, Scanner, short};
use crate::topology::tree::Scalar;

impl Scanner<'_> {
    /// Strings in quotes that KDL does not know: `'24h'`, `“24h”`.
    pub(super) fn foreign_quotes(&mut self, start: usize) -> Option<usize> {
        let mut end = self.line_end(start).min(start + QUOTED_BYTES_MAX);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = &self.text[start..end];
        let first = line.chars().next()?;
        let closing: &[char] = match first {
            '\'' | '`' | '´' => &['\'', '`', '´'],
            '“' | '”' | '„' => &['“', '”'],
            '‘' | '’' | '‚' => &['‘', '’'],
            '«' => &['»'],
            _ => return None,
        };
        let from = first.len_utf8();
        let (inside, length) = match line[from..].find(closing) {
            Some(at) => {
                let quote = line[from + at..].chars().next().map_or(1, char::len_utf8);
                (&line[from..from + at], from + at + quote)
            }
            None => return None,
        };
        let help = format!("write \"{}\"", short(inside));
        let means = Some(Scalar::Str(inside.to_string()));
        self.slip(start..start + length, "strings stand between double quotes".to_string(), help, "_", means);
        Some(start + length)
    }

    pub(super) fn hash_or_string(&mut self, at: usize, at_node: bool) -> usize {
        let hashes = self.bytes[at..].iter().take_while(|byte| **byte == b'#').count();
        let open = at + hashes;
        if self.bytes.get(open) != Some(&b'"') {
            return self.hash(at, open, at_node);
        }
        let long = self.text[open..].starts_with("\"\"\"");
        let quotes = if long { 3 } else { 1 };
        let closing = format!("{}{}", "\"".repeat(quotes), "#".repeat(hashes));
        let mut bad_escape = None;
        let mut place = open + quotes;
        while place < self.bytes.len() {
            if hashes == 0 && self.bytes[place] == b'\\' {
                match self.bytes.get(place + 1) {
                    Some(b'n' | b'r' | b't' | b'\\' | b'"' | b'b' | b'f' | b's' | b'u') => {}
                    Some(b' ' | b'\t' | b'\n' | b'\r') | None => {}
                    Some(_) => bad_escape = bad_escape.or(Some(place)),
                }
                place += 2;
            } else if self.bytes[place..].starts_with(closing.as_bytes()) {
                let end = place + closing.len();
                self.bad_escape(at, open + quotes..place, end, bad_escape);
                return end;
            } else if self.bytes[place] == b'\n' && !long {
                return self.unclosed_string(at, place);
            } else {
                place += 1;
            }
        }
        if long {
            let help = format!("end the text with {closing} on a line of its own");
            self.slip(at..open + 3, "the string has no closing quotes".to_string(), help, "\"", None);
            self.scan.hopeless = true;
            return self.bytes.len();
        }
        self.unclosed_string(at, self.bytes.len())
    }

    fn bad_escape(&mut self, at: usize, inside: Range<usize>, end: usize, escape: Option<usize>) {
        let Some(escape) = escape else { return };
        let Some(letter) = self.text.get(escape + 1..).and_then(|rest| rest.chars().next()) else { return };
        let text = &self.text[inside];
        let help = match text.contains('\n') {
            true => format!("write `\\\\{letter}`"),
            false => format!("write `\\\\{letter}`, or a raw string: #\"{}\"#", short(text)),
        };
        let means = Some(Scalar::Str(text.to_string()));
        let span = escape..escape + 1 + letter.len_utf8();
        let blank = "_".repeat(end - at);
        self.push(span, format!("`\\{letter}` is no escape of KDL"), help, at..end, blank, means);
    }

    fn unclosed_string(&mut self, at: usize, line_end: usize) -> usize {
        // A block that the line opens is not part of the text.
        let line = self.text[at..line_end].trim_end();
        let line = line.strip_suffix('{').map_or(line, str::trim_end);
        let end = (at + line.len()).max(at + 1);
        let inside = line.trim_start_matches(['#', '"']).to_string();
        let help = "close it on the same line; longer text stands between \"\"\" and \"\"\"".to_string();
        self.slip(
            at..end,
            "the string has no closing quote".to_string(),
            help,
            "_",
            Some(Scalar::Str(inside)),
        );
        end
    }

    /// A hash sign that opens no string: a keyword, or a comment as other languages write it.
    fn hash(&mut self, at: usize, open: usize, at_node: bool) -> usize {
        let end = self.word_end(open.min(self.bytes.len().saturating_sub(1))).max(open);
        let word = self.text.get(open..end).unwrap_or_default();
        if matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan") && open == at + 1 {
            return end;
        }
        if at_node || self.is_blank(open) {
            let line = self.line_end(at);
            let message = "comments start with // in KDL".to_string();
            let instead = if line - at >= 2 { "//" } else { " " };
            self.slip(at..line, message, "write // instead of #".to_string(), instead, None);
            return line;
        }
        let mut end = end;
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let word = self.text[open..end].to_string();
        let shown = short(&word);
        let help = format!("there are #true, #false and #null; text has no hash sign: write \"{shown}\"");
        self.slip(at..end, format!("`#{shown}` is no keyword"), help, "_", None);
        end
    }
}
