//! JSON as Go's encoder writes it, so that a file that is read and written again has the same bytes.
//!
//! Go differs from serde_json in what it escapes: `<`, `>`, `&` and the two line separators of Unicode are always written as
//! `\uXXXX`.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};

/// Tab-indented, with a line end after the last brace, as `SetIndent("", "\t")` gives it: meta.json and the shipper's state.
pub(crate) fn to_indented<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    let formatter = Go { inner: PrettyFormatter::with_indent(b"\t") };
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Without any space, as Thanos writes marks.
pub(crate) fn to_compact<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Go { inner: CompactFormatter }))?;
    Ok(bytes)
}

/// What Go's nil slices and maps are written as: nothing at all.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(serde::Deserialize::deserialize(deserializer).map(Option::unwrap_or_default)?)
}

struct Go<F> {
    inner: F,
}

impl<F: Formatter> Formatter for Go<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, from) = rest.split_at(at);
            let mut characters = from.chars();
            let escaped = characters.next().map_or(0, u32::from);
            write!(writer, "{plain}\\u{escaped:04x}")?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.inner.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escapes_and_indents_as_go_does() {
        let value = json!({"a": "<b & c>\u{2028}é\n\u{1}", "empty": {}, "list": [], "n": [1, null]});
        let indented = String::from_utf8(to_indented(&value).unwrap()).unwrap();
        assert_eq!(
            indented,
            "{\n\t\"a\": \"\\u003cb \\u0026 c\\u003e\\u2028é\\n\\u0001\",\n\t\"empty\": {},\n\t\"list\": [],\n\
             \t\"n\": [\n\t\t1,\n\t\tnull\n\t]\n}\n"
        );
        assert_eq!(to_compact(&json!({"a": ["b>"]})).unwrap(), br#"{"a":["b\u003e"]}"#);
    }
}
