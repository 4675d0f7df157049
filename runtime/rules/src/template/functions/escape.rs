//! Texts for HTML, JavaScript and URLs.

use prom_model::quote;

/// `html`
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// `js`
pub(super) fn javascript(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' => out.push_str("\\u003C"),
            '>' => out.push_str("\\u003E"),
            '&' => out.push_str("\\u0026"),
            '=' => out.push_str("\\u003D"),
            c if c < ' ' => out.push_str(&format!("\\u00{:02X}", u32::from(c))),
            c if c.is_ascii() || quote(&c.to_string()).len() == c.len_utf8() + 2 => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    out
}

/// A value in the query of a URL.
pub(super) fn query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The path of a URL, decoded.
pub(super) fn path_of(url: &str) -> String {
    let rest = url.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest;
    while let Some((before, after)) = left.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                left = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                left = after;
            }
        }
    }
    bytes.extend_from_slice(left.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text in backquotes where they can hold it, as errors of Go's `regexp` show patterns.
pub(super) fn backquoted(text: &str) -> String {
    let plain = !text.contains(['`', '\u{7f}', '\u{feff}']) && text.chars().all(|c| c >= ' ' || c == '\t');
    if plain { format!("`{text}`") } else { quote(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(html("<a href=\"x\">'&'</a>"), "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;");
        assert_eq!(javascript("a'b\"<\\\n=é"), "a\\'b\\\"\\u003C\\\\\\u000A\\u003Dé");
        assert_eq!(query("a b&c=é/~"), "a+b%26c%3D%C3%A9%2F~");
        assert_eq!(path_of("https://host:9090/a%20b/c?x=1"), "/a b/c");
        assert_eq!(path_of("http://host"), "");
    }
}
