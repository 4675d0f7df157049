//! Reads one document and keeps where every value stands, for files whose problems are shown at their line.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{YamlError, check_size, from_error, options};

/// Bytes between the start of a key and the start of its value, within which the key is looked for.
const KEY_DISTANCE_MAX: usize = 1024;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The value.
    pub tree: Tree,
    /// Its bytes in the text; of a list or map only the start can be relied on.
    pub at: Range<usize>,
}

/// A value whose scalars keep their spelling.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// A string, number or truth value as written.
    Scalar(String),
    /// A list.
    List(Vec<Located>),
    /// Keys, places of the keys, values.
    Map(Vec<(String, Range<usize>, Located)>),
}

/// Reads the only document of a text; `None` when it is empty.
pub fn parse_located(text: &str) -> Result<Option<Located>, YamlError> {
    check_size(text)?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(None);
    }
    let read: Spanned<Raw> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| from_error(&error))?;
    Ok(Some(settle(read, text)))
}

/// A value before the spelling of its scalars is looked up.
enum Raw {
    Null,
    Text(String),
    /// A scalar that is no string, as the reader understood it.
    Other(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(String, Spanned<Raw>)>),
}

fn range<T>(value: &Spanned<T>, text: &str) -> Range<usize> {
    let span = value.referenced.span();
    let size = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    let start = size(span.byte_offset()).unwrap_or(0).min(text.len());
    let end = start.saturating_add(size(span.byte_len()).unwrap_or(0)).min(text.len());
    start..end
}

/// The place of a key: the nearest text before its value. Asking the reader for it costs as much as the rest together.
fn key_before(key: &str, value: usize, text: &str) -> Range<usize> {
    let from = value.saturating_sub(KEY_DISTANCE_MAX);
    let from = (from..=value).find(|at| text.is_char_boundary(*at)).unwrap_or(value);
    let found = text.get(from..value).and_then(|before| before.rfind(key));
    found.map_or(value..value, |at| from + at..from + at + key.len())
}

fn settle(value: Spanned<Raw>, text: &str) -> Located {
    let at = range(&value, text);
    let tree = match value.value {
        Raw::Null => Tree::Null,
        Raw::Text(string) => Tree::Scalar(string),
        // `0123` and `1.50` are strings where a label value is expected, with these very characters.
        Raw::Other(read) => Tree::Scalar(match text.get(at.clone()) {
            Some(written) if !written.is_empty() && !written.starts_with(['*', '&', '!']) => {
                written.to_string()
            }
            _ => read,
        }),
        Raw::List(items) => Tree::List(items.into_iter().map(|item| settle(item, text)).collect()),
        Raw::Map(entries) => Tree::Map(
            entries
                .into_iter()
                .map(|(key, item)| {
                    let item = settle(item, text);
                    let place = key_before(&key, item.at.start, text);
                    (key, place, item)
                })
                .collect(),
        ),
    };
    Located { tree, at }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "groups:\n- name: ü\n  interval: 30s\n  limit: 010\n";
        let read = parse_located(text).expect("valid").expect("not empty");
        let Tree::Map(top) = &read.tree else { panic!("{read:?}") };
        let Tree::List(groups) = &top[0].2.tree else { panic!("{top:?}") };
        let Tree::Map(group) = &groups[0].tree else { panic!("{groups:?}") };
        let seen: Vec<(&str, &str, &Tree)> =
            group.iter().map(|(key, at, value)| (key.as_str(), &text[at.clone()], &value.tree)).collect();
        assert_eq!(
            seen,
            [
                ("name", "name", &Tree::Scalar("ü".into())),
                ("interval", "interval", &Tree::Scalar("30s".into())),
                ("limit", "limit", &Tree::Scalar("010".into())),
            ]
        );
        assert_eq!(&text[group[1].2.at.clone()], "30s");
    }

    #[test]
    fn comments_alone_are_no_document() {
        assert_eq!(parse_located("# nothing\n\n"), Ok(None));
    }
}
