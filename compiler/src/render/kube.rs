//! Holds every Kubernetes object against its type, so that nothing that an API server would drop or refuse is written.
//!
//! An object is read into the type of its `apiVersion` and `kind` and written back. Whatever does not come back as it went
//! in (a misspelt field, a number where text belongs, a required field that is missing) is an error with its place.

mod kinds;
mod strict;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::pointer;
use strict::{Strict, Trail};

/// Why an object is not what its `apiVersion` and `kind` say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{name}`{}{pointer}: {message}", if pointer.is_empty() { "" } else { " at " })]
pub struct KubeError {
    /// The object's kind; empty when it has none.
    pub kind: String,
    /// The object's `metadata.name`; empty when it has none.
    pub name: String,
    /// JSON pointer of the value that is wrong; empty for the whole object.
    pub pointer: String,
    /// The problem, as a fragment without a full stop.
    pub message: String,
}

/// Checks an object that we wrote and brings its keys into one order: `apiVersion`, `kind`, `metadata`, the rest.
///
/// Null entries are left out. The kinds are those that the compiler renders; any other is an error.
pub fn canonical(value: Value) -> Result<Value, KubeError> {
    check(value, Author::Compiler)
}

/// Checks an object that a user wrote: as [`canonical`], but kinds that are not known pass as they are.
///
/// Quantities may be numbers here, as for kubectl (`cpu: 1`); they come back as text.
pub fn canonical_user(value: Value) -> Result<Value, KubeError> {
    check(value, Author::User)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    Compiler,
    User,
}

/// A place and what is wrong there; the object's kind and name are added by [`check`].
struct Problem {
    pointer: String,
    message: String,
}

impl Problem {
    fn new(pointer: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { pointer: pointer.into(), message: message.into() }
    }
}

fn check(value: Value, author: Author) -> Result<Value, KubeError> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    check_as(value, &api_version, &kind, author).map_err(|Problem { pointer, message }| {
        let message = if kind == "Secret" { without_secret(&pointer, message) } else { message };
        KubeError { kind, name, pointer, message }
    })
}

/// A message about a Secret's content that does not quote it.
fn without_secret(pointer: &str, message: String) -> String {
    match pointer.split('/').nth(1) {
        Some("data") => "not base64; plain text goes into `stringData`".to_owned(),
        Some("stringData") => "not a text".to_owned(),
        _ => message,
    }
}

fn check_as(value: Value, api_version: &str, kind: &str, author: Author) -> Result<Value, Problem> {
    let Value::Object(mut object) = value else {
        return Err(Problem::new("", "not a mapping"));
    };
    for (key, found) in [("apiVersion", api_version), ("kind", kind)] {
        if found.is_empty() {
            return Err(Problem::new(format!("/{key}"), "missing or not a text"));
        }
    }
    let checked = match kinds::schema(api_version, kind) {
        Some(kinds::Schema::Typed(typed)) => {
            has_name(&object)?;
            let texts = take_texts(&mut object, kind);
            let mut checked = typed(Value::Object(object), author)?;
            if let (Value::Object(checked), Some((key, texts))) = (&mut checked, texts) {
                checked.insert(key.to_owned(), texts);
            }
            checked
        }
        Some(kinds::Schema::Custom { named }) => {
            if named {
                has_name(&object)?;
            }
            Value::Object(object)
        }
        None if author == Author::User => Value::Object(object),
        None => return Err(kinds::unknown(api_version, kind)),
    };
    Ok(in_order(checked))
}

fn has_name(object: &Map<String, Value>) -> Result<(), Problem> {
    let metadata = object.get("metadata");
    let given = |key| metadata.and_then(|metadata| metadata.get(key)).is_some_and(|name| !name.is_null());
    if given("name") || given("generateName") {
        return Ok(());
    }
    let found = metadata.is_some_and(Value::is_object);
    Err(Problem::new(
        if found { "/metadata" } else { "" },
        if found { "`name` is missing" } else { "`metadata` is missing" },
    ))
}

/// Takes the texts out of a ConfigMap or Secret, in the order of their keys.
///
/// They may be megabytes, and that each is a text is all that there is to check. Anything else stays for the typed check.
fn take_texts(object: &mut Map<String, Value>, kind: &str) -> Option<(&'static str, Value)> {
    let key = match kind {
        "ConfigMap" => "data",
        "Secret" => "stringData",
        _ => return None,
    };
    if !object.get(key)?.as_object()?.values().all(Value::is_string) {
        return None;
    }
    let Some(Value::Object(mut texts)) = object.shift_remove(key) else { return None };
    texts.sort_keys();
    Some((key, Value::Object(texts)))
}

fn in_order(value: Value) -> Value {
    let Value::Object(mut rest) = value else { return value };
    let mut ordered = Map::with_capacity(rest.len());
    for key in ["apiVersion", "kind", "metadata"] {
        if let Some(entry) = rest.shift_remove(key) {
            ordered.insert(key.to_owned(), entry);
        }
    }
    ordered.extend(rest);
    Value::Object(ordered)
}

/// Reads an object as `T`, writes it back and compares.
fn round_trip<T: DeserializeOwned + Serialize>(value: Value, author: Author) -> Result<Value, Problem> {
    let trail = Trail::default();
    let typed = T::deserialize(Strict::new(&value, &trail))
        .map_err(|error| Problem::new(trail.pointer(), error.to_string()))?;
    let mut written = serde_json::to_value(typed)
        .map_err(|error| Problem::new("", format!("cannot be written: {error}")))?;
    same(&value, &mut written, &mut String::new(), author)?;
    Ok(written)
}

/// Tells the first place where an object came back differently; the order of keys does not count.
fn same(given: &Value, written: &mut Value, at: &mut String, author: Author) -> Result<(), Problem> {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            if !at.is_empty() {
                // Objects inside objects (volumeClaimTemplates) need no apiVersion and kind; keep them as given.
                for key in ["apiVersion", "kind"] {
                    let filled_in = written.get(key).is_some_and(|entry| entry.as_str() != Some(""));
                    if filled_in && !given.contains_key(key) {
                        written.shift_remove(key);
                    }
                }
            }
            for (key, entry) in given.iter().filter(|(_, entry)| !entry.is_null()) {
                let outer = at.len();
                pointer::push_key(at, key);
                let Some(back) = written.get_mut(key) else {
                    return Err(Problem::new(at.as_str(), "this field would be dropped"));
                };
                same(entry, back, at, author)?;
                at.truncate(outer);
            }
            if let Some(key) = written.keys().find(|key| given.get(*key).is_none_or(Value::is_null)) {
                return Err(Problem::new(at.as_str(), format!("the field `{key}` is missing")));
            }
            Ok(())
        }
        (Value::Array(given), Value::Array(written)) if given.len() == written.len() => {
            for (index, (item, back)) in given.iter().zip(written).enumerate() {
                let outer = at.len();
                pointer::push_index(at, index);
                same(item, back, at, author)?;
                at.truncate(outer);
            }
            Ok(())
        }
        (given, written) if given == written => Ok(()),
        (Value::Number(number), Value::String(_)) if author == Author::User && number.is_i64() => Ok(()),
        (given, written) => Err(Problem::new(at.as_str(), format!("{given} would become {written}"))),
    }
}
