//! Texts as JSON, with the escapes that Prometheus' encoder writes.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a string with its quotes, as label names and values are written: of what is not ASCII nothing is escaped.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((special, behind)) = behind.split_first() else { break };
        push_escaped(out, *special);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes a string with its quotes so that a browser cannot take it for HTML, as all other strings are written.
pub(crate) fn push_text_for_html(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let special = matches!(c, '\0'..='\u{1f}' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        if !special {
            continue;
        }
        out.extend_from_slice(text.get(start..at).unwrap_or_default().as_bytes());
        match c {
            '\u{2028}' => out.extend_from_slice(b"\\u2028"),
            '\u{2029}' => out.extend_from_slice(b"\\u2029"),
            c => push_escaped(out, c as u8),
        }
        start = at + c.len_utf8();
    }
    out.extend_from_slice(text.get(start..).unwrap_or_default().as_bytes());
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        byte => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// Writes a list of strings.
pub(crate) fn push_texts<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    out.push(b'[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text_for_html(out, text);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_what_is_no_ascii_and_messages_are_safe_in_a_page() {
        let text = "a\"\\\n\t\u{1}<é&>\u{2028}";
        let mut out = Vec::new();
        push_text(&mut out, text);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\\\\\n\\t\\u0001<é&>\u{2028}\"");
        let mut out = Vec::new();
        push_text_for_html(&mut out, text);
        let expected = "\"a\\\"\\\\\\n\\t\\u0001\\u003cé\\u0026\\u003e\\u2028\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
