//! Writes long texts as literal blocks without building a tree, for ConfigMaps that hold hundreds of KiB of rules.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{leads_with_tab, to_yaml};

/// Longest key that Kubernetes takes; YAML needs another form for keys of more than 1024 characters.
const LONGEST_KEY: usize = 253;

/// Writes a ConfigMap of texts, byte for byte as [`to_yaml`] would write the tree, in the order given.
///
/// `metadata` is the object's metadata tree; every text becomes a literal block where YAML allows it and
/// a quoted string where it does not. Of two equal keys the last one stands.
pub fn config_map_yaml<K: AsRef<str>, V: AsRef<str>>(metadata: &Value, data: &[(K, V)]) -> String {
    let keys: BTreeSet<&str> = data.iter().map(|(key, _)| key.as_ref()).collect();
    if keys.len() < data.len() || keys.iter().any(|key| key.len() > LONGEST_KEY) {
        let texts: Map<String, Value> =
            data.iter().map(|(key, text)| (key.as_ref().to_owned(), json!(text.as_ref()))).collect();
        return to_yaml(
            &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts }),
        );
    }
    let text_bytes: usize = data.iter().map(|(_, text)| text.as_ref().len()).sum();
    let mut out = String::with_capacity(text_bytes + text_bytes / 8 + 1024);
    out.push_str("apiVersion: v1\nkind: ConfigMap\n");
    out.push_str(&entry("metadata", metadata.clone()));
    if data.is_empty() {
        out.push_str("data: {}\n");
        return out;
    }
    out.push_str("data:\n");
    for (key, text) in data {
        let (key, text) = (key.as_ref(), text.as_ref());
        out.push_str("  ");
        if is_literal(text) {
            // `key: null` gives the key with the quoting that it needs.
            let line = entry(key, Value::Null);
            out.push_str(line.strip_suffix("null\n").unwrap_or(&line));
            push_block(&mut out, text, 4);
        } else {
            out.push_str(&entry(key, Value::String(text.to_owned())));
        }
    }
    out
}

/// Writes a text as the value of a key: a literal block whose lines are indented by `indent` spaces.
///
/// The first line of the answer is the block's header (`|`, `|-`, `|+`, with an indentation indicator where the
/// text starts with a space), so the caller writes `key: ` before it. A text that cannot be a literal block (no line
/// break, control characters, CR, BOM, a leading TAB) comes back as a quoted or plain scalar on one line.
/// `indent` is the column of the key plus two. Ends with a line break.
pub fn indent_block(text: &str, indent: usize) -> String {
    if is_literal(text) {
        let mut out = String::with_capacity(text.len() + text.len() / 8 + 16);
        push_block(&mut out, text, indent);
        return out;
    }
    entry("k", Value::String(text.to_owned())).split_off("k: ".len())
}

fn entry(key: &str, value: Value) -> String {
    to_yaml(&Value::Object(Map::from_iter([(key.to_owned(), value)])))
}

/// Tells whether [`to_yaml`] would write this text as a literal block.
fn is_literal(text: &str) -> bool {
    // Bytes first: nearly every text is ASCII, and this loop is the whole cost of a large ConfigMap.
    let plain = || text.bytes().all(|b| matches!(b, b'\n' | b'\t' | b' '..=b'~'));
    text.contains('\n') && !leads_with_tab(text) && (plain() || text.chars().all(is_block_char))
}

/// Characters that every reader takes literally in a block; CR, BOM, NEL and the Unicode separators are not.
fn is_block_char(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' => false,
        '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => true,
        _ => false,
    }
}

fn push_block(out: &mut String, text: &str, indent: usize) {
    let content = text.trim_end_matches('\n');
    let breaks = text.len() - content.len();
    out.push('|');
    // Readers find the indentation by the first line with content; leading spaces of the text would mislead them.
    if content.trim_start_matches('\n').starts_with(' ') {
        out.push('2');
    }
    match breaks {
        0 => out.push('-'),
        1 if !content.is_empty() => {}
        _ => out.push('+'),
    }
    out.push('\n');
    if content.is_empty() {
        out.extend(std::iter::repeat_n('\n', breaks));
        return;
    }
    let pad = " ".repeat(indent);
    for line in content.split('\n') {
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', breaks.saturating_sub(1)));
}
