//! Flags with labels: `cluster="eu"`, the value quoted as in Go.

use std::str::FromStr;

use prom_model::NameScheme;

/// One label as a flag takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelPair {
    /// The name, by the UTF-8 rules.
    pub(crate) name: String,
    /// The value, unquoted.
    pub(crate) value: String,
}

impl FromStr for LabelPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, quoted) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is no label; write it as cluster=\"eu\""))?;
        if !NameScheme::Utf8.is_valid_label_name(name) {
            return Err(format!("`{name}` is no name of a label"));
        }
        let value = unquote(quoted).ok_or_else(|| {
            format!("the value of `{name}` needs its quotes: {name}=\"eu\" (in a shell: '{name}=\"eu\"')")
        })?;
        Ok(LabelPair { name: name.to_owned(), value })
    }
}

/// Reads a Go string literal, interpreted or raw.
fn unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`') {
        let raw = raw.strip_suffix('`')?;
        return (!raw.contains('`')).then(|| raw.replace('\r', ""));
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    let mut buffer = [0; 4];
    while let Some(character) = characters.next() {
        let decoded = match character {
            '"' | '\n' => return None,
            '\\' => match characters.next()? {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                '\\' => '\\',
                '"' => '"',
                'x' => {
                    bytes.push(u8::try_from(digits(&mut characters, 2, 16)?).ok()?);
                    continue;
                }
                'u' => char::from_u32(digits(&mut characters, 4, 16)?)?,
                'U' => char::from_u32(digits(&mut characters, 8, 16)?)?,
                first @ '0'..='7' => {
                    let high = first.to_digit(8)?;
                    let low = digits(&mut characters, 2, 8)?;
                    bytes.push(u8::try_from(high.checked_mul(64)?.checked_add(low)?).ok()?);
                    continue;
                }
                _ => return None,
            },
            other => other,
        };
        bytes.extend_from_slice(decoded.encode_utf8(&mut buffer).as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn digits(characters: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = characters.next()?.to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_as_in_go() {
        for (text, name, value) in [
            ("cluster=\"eu\"", "cluster", "eu"),
            ("a=\"x=y\"", "a", "x=y"),
            ("a=`raw\\n`", "a", "raw\\n"),
            ("a=\"\\\"\\\\\\n\\t\\x41\\101\\u00e9\\U0001F600\"", "a", "\"\\\n\tAA\u{e9}\u{1F600}"),
            ("my.label=\"\"", "my.label", ""),
        ] {
            let label: LabelPair = text.parse().unwrap();
            assert_eq!((label.name.as_str(), label.value.as_str()), (name, value), "{text}");
        }
        for text in [
            "cluster",
            "cluster=eu",
            "=\"eu\"",
            "a=\"",
            "a=\"b",
            "a=\"\\q\"",
            "a=\"\\xff\"",
            "a='b'",
            "a=\"\"\"",
        ] {
            assert!(text.parse::<LabelPair>().is_err(), "{text}");
        }
        let error = "cluster=eu".parse::<LabelPair>().unwrap_err();
        assert!(error.contains("'cluster=\"eu\"'"), "{error}");
    }
}
