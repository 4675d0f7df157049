//! Functions of labels and of the texts in them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use prom_model::Labels;

use super::super::value::{Element, Value};

/// The labels as a mapping.
pub(in super::super) fn map_of(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect()
}

/// The value of a label, empty where there is none.
pub(super) fn of(element: &Element, name: &str) -> Value {
    Value::text(element.labels.get(name).map_or("", String::as_str))
}

/// The elements by the value of a label.
pub(super) fn sort(name: &str, vector: Option<&Value>) -> Value {
    let Some(Value::Vector(list)) = vector else { return Value::Vector(Rc::default()) };
    let mut sorted = list.as_ref().clone();
    sorted.sort_by(|a, b| a.labels.get(name).cmp(&b.labels.get(name)));
    Value::Vector(Rc::new(sorted))
}

/// The host of `host:port`; anything else stays as it is.
pub(super) fn strip_port(text: &str) -> String {
    split_host_port(text).map_or(text, |(host, _)| host).to_owned()
}

/// The first part of the host's name, with the port if there is one; addresses stay as they are.
pub(super) fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    // Go takes no zone in an address here.
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    match (port, name.contains(':')) {
        ("", _) => name.to_owned(),
        (port, true) => format!("[{name}]:{port}"),
        (port, false) => format!("{name}:{port}"),
    }
}

/// Go's `net.SplitHostPort`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (before, port) = text.rsplit_once(':')?;
    let host = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            // Between the bracket and the port stands the colon alone.
            if after.len() != port.len() + 1 {
                return None;
            }
            if host.contains('[') {
                return None;
            }
            host
        }
        None if before.contains(':') => return None,
        None if before.contains(['[', ']']) => return None,
        None => before,
    };
    (!port.contains(['[', ']'])).then_some((host, port))
}

/// Each word with a capital; the other letters stay.
///
/// A word goes on over digits and `_`, and over one `.`, `:` or apostrophe, as Unicode divides words.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    let mut after_mid = false;
    for c in text.chars() {
        let mid = is_mid(c);
        if after_mid && mid {
            in_word = false;
        }
        let cased = c.is_lowercase() || c.is_uppercase() || is_title(c);
        if cased && !in_word {
            push_title(&mut out, c);
            in_word = true;
        } else {
            out.push(c);
            if !cased && !mid && !is_letter(c) {
                in_word = false;
            }
        }
        after_mid = mid;
    }
    out
}

/// A character that may stand once inside a word.
fn is_mid(c: char) -> bool {
    matches!(
        c,
        '.' | ':'
            | '\''
            | '\u{b7}'
            | '\u{387}'
            | '\u{5f4}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{fe13}'
            | '\u{fe52}'
            | '\u{fe55}'
            | '\u{ff07}'
            | '\u{ff0e}'
            | '\u{ff1a}'
    )
}

/// A character that does not end a word, though it has no case.
fn is_letter(c: char) -> bool {
    let ideograph = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
    let combining = matches!(c, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200c}'..='\u{200f}');
    c == '_' || combining || (c.is_alphanumeric() && !ideograph)
}

/// Digraphs whose first letter is a capital.
fn is_title(c: char) -> bool {
    matches!(c, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}')
}

fn push_title(out: &mut String, c: char) {
    match c {
        '\u{1c4}'..='\u{1c6}' => out.push('\u{1c5}'),
        '\u{1c7}'..='\u{1c9}' => out.push('\u{1c8}'),
        '\u{1ca}'..='\u{1cc}' => out.push('\u{1cb}'),
        '\u{1f1}'..='\u{1f3}' => out.push('\u{1f2}'),
        _ => {
            for (index, upper) in c.to_uppercase().enumerate() {
                // Of letters that become several, the first alone is a capital.
                if index == 0 || upper == 'N' {
                    out.push(upper);
                } else {
                    out.extend(upper.to_lowercase());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        for (text, expect) in [
            ("aa bB CC", "Aa BB CC"),
            ("foo-bar foo_bar 3com a.b a..b", "Foo-Bar Foo_bar 3Com A.b A..B"),
            ("don't (paren) é ß", "Don't (Paren) É Ss"),
        ] {
            assert_eq!(title(text), expect);
        }
    }

    #[test]
    fn hosts() {
        for (text, port, domain) in [
            ("web.example.net:80", "web.example.net", "web:80"),
            ("web.example.net", "web.example.net", "web"),
            ("10.0.0.1:80", "10.0.0.1", "10.0.0.1:80"),
            ("[::1]:80", "::1", "[::1]:80"),
            ("::1", "::1", "::1"),
            ("a:b:c", "a:b:c", "a:b:c"),
            ("", "", ""),
        ] {
            assert_eq!((strip_port(text).as_str(), strip_domain(text).as_str()), (port, domain), "{text}");
        }
    }
}
