//! A block's meta.json under the names and in the texts of Go's structs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// A value as a template sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    Struct(Vec<(&'static str, Value)>),
}

impl Value {
    /// Go's idea of "not empty", as `if` and `range` take it.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(number) => *number != 0,
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Struct(_) => true,
        }
    }

    /// What `len` counts.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Value::Text(text) => Some(text.len()),
            Value::List(list) => Some(list.len()),
            Value::Map(map) => Some(map.len()),
            _ => None,
        }
    }
}

/// As `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("<no value>"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::List(list) => {
                f.write_str("[")?;
                spaced(f, list.iter())?;
                f.write_str("]")
            }
            Value::Map(map) => {
                f.write_str("map[")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(f, "{space}{key}:{value}")?;
                }
                f.write_str("]")
            }
            Value::Struct(fields) => {
                f.write_str("{")?;
                spaced(f, fields.iter().map(|(_, value)| value))?;
                f.write_str("}")
            }
        }
    }
}

fn spaced<'a>(f: &mut fmt::Formatter<'_>, values: impl Iterator<Item = &'a Value>) -> fmt::Result {
    for (index, value) in values.enumerate() {
        let space = if index == 0 { "" } else { " " };
        write!(f, "{space}{value}")?;
    }
    Ok(())
}

/// The fields of a block; absent ones have Go's zero.
pub(super) fn of_meta(meta: &Json) -> Value {
    let block = block_meta(meta);
    let mut fields = block.clone();
    fields.push(("BlockMeta", Value::Struct(block)));
    fields.push(("Thanos", thanos(&meta["thanos"])));
    Value::Struct(fields)
}

fn block_meta(meta: &Json) -> Vec<(&'static str, Value)> {
    let stats = &meta["stats"];
    let compaction = &meta["compaction"];
    vec![
        ("ULID", text(&meta["ulid"])),
        ("MinTime", int(&meta["minTime"])),
        ("MaxTime", int(&meta["maxTime"])),
        (
            "Stats",
            Value::Struct(vec![
                ("NumSamples", int(&stats["numSamples"])),
                ("NumFloatSamples", int(&stats["numFloatSamples"])),
                ("NumHistogramSamples", int(&stats["numHistogramSamples"])),
                ("NumSeries", int(&stats["numSeries"])),
                ("NumChunks", int(&stats["numChunks"])),
                ("NumTombstones", int(&stats["numTombstones"])),
            ]),
        ),
        (
            "Compaction",
            Value::Struct(vec![
                ("Level", int(&compaction["level"])),
                ("Sources", list(&compaction["sources"], text)),
                ("Deletable", boolean(&compaction["deletable"])),
                ("Parents", list(&compaction["parents"], parent)),
                ("Failed", boolean(&compaction["failed"])),
                ("Hints", list(&compaction["hints"], text)),
            ]),
        ),
        ("Version", int(&meta["version"])),
    ]
}

fn parent(parent: &Json) -> Value {
    Value::Struct(vec![
        ("ULID", text(&parent["ulid"])),
        ("MinTime", int(&parent["minTime"])),
        ("MaxTime", int(&parent["maxTime"])),
    ])
}

fn thanos(thanos: &Json) -> Value {
    let index_stats = &thanos["index_stats"];
    Value::Struct(vec![
        ("Version", int(&thanos["version"])),
        ("Labels", of_json_map(&thanos["labels"])),
        ("Downsample", Value::Struct(vec![("Resolution", int(&thanos["downsample"]["resolution"]))])),
        ("Source", text(&thanos["source"])),
        ("SegmentFiles", list(&thanos["segment_files"], text)),
        ("Files", list(&thanos["files"], file)),
        ("Rewrites", list(&thanos["rewrites"], of_json)),
        (
            "IndexStats",
            Value::Struct(vec![
                ("SeriesMaxSize", int(&index_stats["series_max_size"])),
                ("ChunkMaxSize", int(&index_stats["chunk_max_size"])),
            ]),
        ),
        ("Extensions", of_json(&thanos["extensions"])),
        ("UploadTime", text(&thanos["upload_time"])),
    ])
}

fn file(file: &Json) -> Value {
    Value::Struct(vec![("RelPath", text(&file["rel_path"])), ("SizeBytes", int(&file["size_bytes"]))])
}

fn int(value: &Json) -> Value {
    Value::Int(value.as_i64().unwrap_or_default())
}

fn boolean(value: &Json) -> Value {
    Value::Bool(value.as_bool().unwrap_or_default())
}

fn text(value: &Json) -> Value {
    Value::Text(value.as_str().unwrap_or_default().to_owned())
}

fn list(value: &Json, one: fn(&Json) -> Value) -> Value {
    Value::List(value.as_array().into_iter().flatten().map(one).collect())
}

fn of_json_map(value: &Json) -> Value {
    let entries = value.as_object().into_iter().flatten();
    Value::Map(entries.map(|(name, value)| (name.clone(), of_json(value))).collect())
}

/// What has no Go struct: extensions and rewrites.
fn of_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) => list(value, of_json),
        Json::Object(_) => of_json_map(value),
    }
}
