//! Patches: what the user changes in rendered objects, after everything else and before typing.

use serde_json::{Map, Value};

use super::output::{Object, Output};
use super::yaml;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::pipeline::{Origin, Provenance};
use crate::source::{Span, glob_matcher};
use crate::topology::nodes::escape::{JsonPatch, Patch};

/// Applies every `patch` to the objects it names, in the order of the file.
pub fn apply(out: &mut Output) {
    let patches: &[Patch] = &out.cluster.topology.patch;
    let folder = out.cluster.folder.clone();
    for patch in patches {
        let matcher = match glob_matcher(&patch.object.value) {
            Ok(matcher) => matcher,
            Err(error) => {
                out.diagnostics.push(Diagnostic::error("PAT001", patch.object.span, error.to_string()));
                continue;
            }
        };
        let mut matched = false;
        let titles: Vec<String> = out.objects.iter().map(Object::title).collect();
        for object in out.objects.iter_mut().filter(|object| matcher.is_match(object.title())) {
            matched = true;
            object.settle();
            let title = object.title();
            for (path, change, span) in operations(patch, &mut out.diagnostics) {
                match change_at(&mut object.value, &path, change.clone()) {
                    Ok(()) => out.provenance.push(Provenance {
                        file: format!("{folder}{}", object.file),
                        object: title.clone(),
                        field: path.join("."),
                        value: change.map_or_else(|| "removed".to_string(), |value| value.to_string()),
                        origin: Origin::Line(span),
                    }),
                    Err(message) => out.diagnostics.push(
                        Diagnostic::error("PAT001", span, format!("`{}` of {title}: {message}", path.join(".")))
                            .object(title.clone(), path.join("."))
                            .help("paths are dotted; list items by number or by [name]: spec.template.spec.containers.[prometheus].image"),
                    ),
                }
            }
            for json_patch in &patch.json_patches {
                if let Err(message) = apply_json_patch(&mut object.value, json_patch) {
                    out.diagnostics.push(
                        Diagnostic::error("PAT001", json_patch.text.span, format!("{title}: {message}"))
                            .object(title.clone(), "")
                            .help("RFC 6902: [{\"op\": \"add\", \"path\": \"/spec/x\", \"value\": 1}]"),
                    );
                }
            }
        }
        if !matched {
            out.diagnostics.push(
                Diagnostic::error(
                    "PAT001",
                    patch.object.span,
                    format!("no object is called `{}`", patch.object.value),
                )
                .help(
                    did_you_mean(&patch.object.value, titles.iter().map(String::as_str)).unwrap_or_default(),
                ),
            );
        }
    }
}

/// `set` and `remove` as (path, new value or nothing, place).
fn operations(patch: &Patch, diagnostics: &mut Vec<Diagnostic>) -> Vec<(Vec<String>, Option<Value>, Span)> {
    let mut operations = Vec::new();
    for set in &patch.sets {
        let value = match (&set.value, &set.yaml) {
            (Some(value), None) => value.value.0.clone(),
            (None, Some(text)) => match yaml::parse(&text.value) {
                Ok(documents) => documents.into_iter().next().unwrap_or(Value::Null),
                Err(error) => {
                    diagnostics.push(Diagnostic::error(
                        "PAT001",
                        text.span,
                        format!("not YAML: {}", error.message),
                    ));
                    continue;
                }
            },
            _ => {
                diagnostics.push(
                    Diagnostic::error("PAT001", set.span, "`set` takes one value")
                        .help("write `set \"spec.x\" 1` or `set \"spec.x\" yaml=\"[1, 2]\"`"),
                );
                continue;
            }
        };
        operations.push((split(&set.path.value), Some(value), set.span));
    }
    operations.extend(patch.removes.iter().map(|remove| (split(&remove.path.value), None, remove.span)));
    operations
}

/// Splits at dots that are not inside `[…]`; a key with dots is written `[app.kubernetes.io/name]`.
fn split(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0usize;
    for c in path.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn change_at(value: &mut Value, path: &[String], change: Option<Value>) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else { return Err("the path is empty".to_string()) };
    let name = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')).unwrap_or(step);
    if let Value::Array(items) = value {
        let at = match name.parse::<usize>() {
            Ok(number) if number <= items.len() => number,
            Ok(number) => return Err(format!("the list has {} items, not {}", items.len(), number + 1)),
            Err(_) => items
                .iter()
                .position(|item| item.get("name").and_then(Value::as_str) == Some(name))
                .ok_or_else(|| format!("no item of the list is named `{name}`"))?,
        };
        return match (rest.is_empty(), change) {
            (true, Some(new)) if at == items.len() => {
                items.push(new);
                Ok(())
            }
            (true, Some(new)) => {
                items[at] = new;
                Ok(())
            }
            (_, _) if at == items.len() => Err(format!("the list has only {at} items")),
            (true, None) => {
                items.remove(at);
                Ok(())
            }
            (false, change) => change_at(&mut items[at], rest, change),
        };
    }
    if value.is_null() && change.is_some() {
        *value = Value::Object(Map::new());
    }
    let Some(map) = value.as_object_mut() else { return Err(format!("`{name}` is below a scalar")) };
    match (rest.is_empty(), change) {
        (true, Some(new)) => {
            map.insert(name.to_string(), new);
            Ok(())
        }
        (true, None) => map.shift_remove(name).map(|_| ()).ok_or_else(|| format!("there is no `{name}`")),
        (false, None) => match map.get_mut(name) {
            Some(below) => change_at(below, rest, None),
            None => Err(format!("there is no `{name}`")),
        },
        (false, change) => change_at(map.entry(name).or_insert(Value::Null), rest, change),
    }
}

fn apply_json_patch(value: &mut Value, patch: &JsonPatch) -> Result<(), String> {
    let operations = yaml::parse(&patch.text.value).map_err(|error| error.to_string())?;
    let Some(Value::Array(operations)) = operations.into_iter().next() else {
        return Err("the patch is no list of operations".to_string());
    };
    let mut changed = value.clone();
    for operation in &operations {
        json_operation(&mut changed, operation)?;
    }
    *value = changed;
    Ok(())
}

fn json_operation(value: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |key: &str| {
        operation.get(key).and_then(Value::as_str).ok_or_else(|| format!("an operation has no `{key}`"))
    };
    let (op, path) = (text("op")?, text("path")?);
    let new = || operation.get("value").cloned().ok_or_else(|| format!("`{op}` has no `value`"));
    match op {
        "add" => add(value, path, new()?),
        "replace" => {
            *value.pointer_mut(path).ok_or_else(|| format!("`{path}` does not exist"))? = new()?;
            Ok(())
        }
        "remove" => take(value, path).map(|_| ()),
        "move" => {
            let moved = take(value, text("from")?)?;
            add(value, path, moved)
        }
        "copy" => {
            let from = text("from")?;
            let copied = value.pointer(from).cloned().ok_or_else(|| format!("`{from}` does not exist"))?;
            add(value, path, copied)
        }
        "test" if value.pointer(path) == Some(&new()?) => Ok(()),
        "test" => Err(format!("`{path}` is not what the test expects")),
        other => Err(format!("there is no operation `{other}`")),
    }
}

fn parent<'v>(value: &'v mut Value, path: &str) -> Result<(&'v mut Value, String), String> {
    let (above, last) = path.rsplit_once('/').ok_or_else(|| format!("`{path}` does not start with `/`"))?;
    let last = last.replace("~1", "/").replace("~0", "~");
    let place = value.pointer_mut(above).ok_or_else(|| format!("`{above}` does not exist"))?;
    Ok((place, last))
}

fn add(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    match parent(value, path)? {
        (Value::Object(map), last) => {
            map.insert(last, new);
            Ok(())
        }
        (Value::Array(items), last) => {
            let at = if last == "-" {
                items.len()
            } else {
                last.parse().map_err(|_| format!("`{last}` is no index"))?
            };
            if at > items.len() {
                return Err(format!("the list at `{path}` has only {} items", items.len()));
            }
            items.insert(at, new);
            Ok(())
        }
        _ => Err(format!("`{path}` is below a scalar")),
    }
}

fn take(value: &mut Value, path: &str) -> Result<Value, String> {
    let missing = || format!("`{path}` does not exist");
    match parent(value, path)? {
        (Value::Object(map), last) => map.shift_remove(&last).ok_or_else(missing),
        (Value::Array(items), last) => {
            let at: usize = last.parse().map_err(|_| missing())?;
            if at < items.len() { Ok(items.remove(at)) } else { Err(missing()) }
        }
        _ => Err(missing()),
    }
}
