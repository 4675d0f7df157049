//! Writes and reads YAML so that every reader in the field (kubectl, Prometheus, Thanos, PyYAML) sees the same types.
//!
//! Writing quotes whatever a YAML 1.1 *or* 1.2 reader could take for something else (`on`, `0123`, `12:30`, `2024-01-01`),
//! never folds long lines and keeps the order of keys. Reading is strict: duplicate keys are errors and
//! aliases cannot be used to blow a small text up into a large one.

mod block;
mod located;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_saphyr::options::MergeKeyPolicy;

pub use block::{config_map_yaml, indent_block};
pub use located::{Located, Tree, parse_located};

/// Largest text that [`parse`] accepts; Kubernetes itself refuses objects far smaller than this.
pub const MAX_INPUT_BYTES: usize = 64 * 1024 * 1024;

/// Deepest nesting that [`parse`] accepts, so that reading and walking a tree never exhausts a thread's 2 MiB stack.
const MAX_DEPTH: usize = 64;

/// What is wrong with a YAML text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// 1-based line; 0 when the problem has no single place.
    pub line: usize,
    /// 1-based column in characters; 0 when the problem has no single place.
    pub column: usize,
    /// The problem, as a fragment without a full stop.
    pub message: String,
}

/// Writes one document: block style, two spaces, keys in the order of the tree, LF, final newline.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write_document(&mut out, value);
    out
}

/// Writes several documents separated by `---`; there is no marker before the first.
pub fn to_yaml_documents(values: &[Value]) -> String {
    let mut out = String::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push_str("---\n");
        }
        write_document(&mut out, value);
    }
    out
}

fn write_document(out: &mut String, value: &Value) {
    let options = serde_saphyr::ser_options! {
        // Folding would break long PromQL expressions into `>-` blocks and move lines on every edit.
        folded_wrap_chars: usize::MAX,
        // The YAML 1.1 quoting rules are the superset: go-yaml resolves `on` and `0123`.
        yaml_12: false,
    };
    let start = out.len();
    if serde_saphyr::to_fmt_writer_with_options(out, &Guarded(value), options).is_err() {
        // Not reachable for a JSON tree; JSON is YAML too, so the answer stays right if it ever is.
        out.truncate(start);
        out.push_str(&value.to_string());
        out.push('\n');
    }
}

/// A tree whose strings are safe for go-yaml as well.
struct Guarded<'a>(&'a Value);

impl Serialize for Guarded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if leads_with_tab(text) => {
                serde_saphyr::DoubleQuoted(text.as_str()).serialize(serializer)
            }
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Guarded(item))?;
                }
                seq.end()
            }
            Value::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, item) in entries {
                    map.serialize_entry(key, &Guarded(item))?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}

/// Tells whether a text would be a block scalar whose first line starts with TAB, which go-yaml cannot read.
fn leads_with_tab(text: &str) -> bool {
    text.trim_start_matches('\n').starts_with('\t') && text.contains('\n')
}

/// Reads all documents of a text; empty documents are left out.
///
/// Booleans are `true` and `false` only, `0644` is octal as for kubectl, and merge keys are resolved.
pub fn parse(text: &str) -> Result<Vec<Value>, YamlError> {
    check_size(text)?;
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| from_error(&error))
}

fn check_size(text: &str) -> Result<(), YamlError> {
    if text.len() > MAX_INPUT_BYTES {
        let message = format!("the text has {} bytes, more than {MAX_INPUT_BYTES}", text.len());
        return Err(YamlError { line: 0, column: 0, message });
    }
    Ok(())
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: 4_000_000,
            max_nodes: 4_000_000,
            max_total_scalar_bytes: MAX_INPUT_BYTES,
            max_aliases: 10_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
        merge_keys: MergeKeyPolicy::Merge,
        legacy_octal_numbers: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn from_error(error: &serde_saphyr::Error) -> YamlError {
    let (line, column) = error.location().map_or((0, 0), |at| (to_usize(at.line()), to_usize(at.column())));
    YamlError { line, column, message: message_of(error, line, column) }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The reader's message without the place, which [`YamlError`] tells by itself.
fn message_of(error: &serde_saphyr::Error, line: usize, column: usize) -> String {
    let mut message = error.without_snippet().to_string();
    let place = format!(" at line {line}, column {column}");
    if message.ends_with(&place) {
        message.truncate(message.len() - place.len());
    }
    message
}
