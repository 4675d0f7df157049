//! JSON as Go's `encoding/json` writes it, so that a file that nobody has changed keeps its bytes.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Writes a value as `json.MarshalIndent(value, "", "\t")` does: with tabs, without a line feed at the end. Keys stand in the order in which `value` serializes them.
///
/// # Errors
/// A map whose keys are no texts, which no type of ours has.
pub fn to_go_json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    let pretty = PrettyFormatter::with_indent(b"\t");
    value.serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter(pretty)))?;
    Ok(bytes)
}

/// Writes a value without spaces, as `json.Marshal` does.
///
/// # Errors
/// As [`to_go_json`].
pub fn to_go_json_compact(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter(CompactFormatter)))?;
    Ok(bytes)
}

/// Go's package also escapes what would end a script in HTML, and two separators that JavaScript does not know.
struct GoFormatter<F>(F);

impl<F: Formatter> Formatter for GoFormatter<F> {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        let escaped = |found: char| matches!(found, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = text;
        while let Some(at) = rest.find(escaped) {
            let (plain, tail) = rest.split_at(at);
            to.write_all(plain.as_bytes())?;
            let mut tail = tail.chars();
            if let Some(found) = tail.next() {
                write!(to, "\\u{:04x}", u32::from(found))?;
            }
            rest = tail.as_str();
        }
        to.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(&mut self, to: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(to, escape)
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_array(to)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array(to)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(to, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array_value(to)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object(to)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object(to)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(to, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object_value(to)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object_value(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_go_writes() {
        let value = serde_json::json!({"a": ["<b>&\u{2028}\"\n"], "none": [], "map": {}, "n": {"x": 1}});
        let text = String::from_utf8(to_go_json(&value).unwrap()).unwrap();
        let expected = "{\n\t\"a\": [\n\t\t\"\\u003cb\\u003e\\u0026\\u2028\\\"\\n\"\n\t],\n\t\"none\": [],\n\t\"map\": {},\n\t\
                        \"n\": {\n\t\t\"x\": 1\n\t}\n}";
        assert_eq!(text, expected);
        assert_eq!(to_go_json_compact(&serde_json::json!({"a": ["b>"]})).unwrap(), br#"{"a":["b\u003e"]}"#);
    }
}
