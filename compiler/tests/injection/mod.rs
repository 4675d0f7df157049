//! No string of a topology can change the structure of what is rendered.
//!
//! Every string value of every example is replaced, one at a time, by hostile payloads. Either the compiler refuses the
//! topology, or the rendered tree has the same objects, documents and nodes as it has with a harmless value there.

mod payloads;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use compiler::pipeline::{Outcome, Request, render};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use compiler::topology::parse::parse;
use compiler::topology::tree::{Node, Scalar};
use payloads::{HARMLESS, payloads};
use serde_json::Value;

/// Nodes whose string is YAML or JSON by definition: there the author writes structure.
const STRUCTURED: &[&str] = &["yaml", "json-patch", "include", "import", "manifest"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// All files of the examples, so that includes work.
fn world() -> MemoryWorld {
    fn walk(folder: &Path, prefix: &str, world: &mut MemoryWorld) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).expect("examples exist").flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), world);
            } else {
                world.files.insert(name, std::fs::read(entry.path()).expect("readable"));
            }
        }
    }
    let mut world = MemoryWorld::default();
    walk(&examples(), "", &mut world);
    world
}

/// Byte ranges of all string values.
fn strings(nodes: &[Node], out: &mut Vec<(usize, usize)>) {
    for node in nodes {
        if STRUCTURED.contains(&node.name.as_str()) {
            continue;
        }
        let values = node
            .args
            .iter()
            .chain(node.props.iter().filter(|prop| prop.name != "yaml").map(|prop| &prop.value));
        for value in values {
            if matches!(value.scalar, Scalar::Str(_)) {
                out.push((value.span.start as usize, value.span.end as usize));
            }
        }
        strings(&node.children, out);
    }
}

/// A payload as a KDL string: everything that KDL could misread is an escape.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            c if c.is_ascii_graphic() || c == ' ' => write!(out, "{c}"),
            c => write!(out, "\\u{{{:x}}}", c as u32),
        };
    }
    out + "\""
}

/// What must not change: documents of each file, objects by kind, and the number of maps, lists and scalars below them,
/// inside embedded YAML too.
#[derive(Debug, PartialEq, Eq, Default)]
struct Shape {
    files: usize,
    documents: usize,
    kinds: BTreeMap<String, (usize, usize, usize, usize)>,
}

fn count(value: &Value, shape: &mut (usize, usize, usize, usize), embedded: bool) {
    match value {
        Value::Object(map) => {
            shape.1 += 1;
            for (key, below) in map {
                match below {
                    Value::String(text)
                        if embedded && [".yaml", ".yml", ".tmpl"].iter().any(|end| key.ends_with(end)) =>
                    {
                        for document in yaml::parse(text).expect("embedded YAML parses") {
                            count(&document, shape, false);
                        }
                    }
                    below => count(below, shape, embedded),
                }
            }
        }
        Value::Array(items) => {
            shape.2 += 1;
            items.iter().for_each(|item| count(item, shape, embedded));
        }
        _ => shape.3 += 1,
    }
}

fn shape(outcome: &Outcome) -> Shape {
    let mut shape = Shape { files: outcome.artefacts.len(), ..Shape::default() };
    for artefact in outcome.artefacts.iter().filter(|artefact| artefact.path.ends_with(".yaml")) {
        for document in
            yaml::parse(&artefact.text()).unwrap_or_else(|error| panic!("{}: {error}", artefact.path))
        {
            shape.documents += 1;
            let kind = document.get("kind").and_then(Value::as_str).unwrap_or("?").to_string();
            let entry = shape.kinds.entry(kind).or_default();
            entry.0 += 1;
            count(&document, entry, true);
        }
    }
    shape
}

/// Renders the example with one string replaced; `None` when the compiler refuses.
fn with(world: &mut MemoryWorld, name: &str, text: &str, at: (usize, usize), payload: &str) -> Option<Shape> {
    let changed = format!("{}{}{}", &text[..at.0], quoted(payload), &text[at.1..]);
    world.files.insert(name.to_string(), changed.into_bytes());
    let outcome = render(world, &Request { path: name.to_string(), ..Request::default() });
    if compiler::diagnostic::has_errors(&outcome.diagnostics) {
        return None;
    }
    Some(shape(&outcome))
}

/// One example: every string by every payload. Returns (cases, accepted).
fn attack(name: &str) -> (usize, usize) {
    let mut world = world();
    let text = String::from_utf8(world.files[name].clone()).expect("examples are UTF-8");
    let mut places = Vec::new();
    strings(&parse(0, &text, &mut Vec::new()), &mut places);
    let (mut cases, mut accepted) = (0, 0);
    let payloads = payloads();
    for at in places {
        // A value that takes no free text refuses the harmless one too; then payloads that it accepts have no
        // reference, and must be refused as well, or be one of its own words.
        let reference = with(&mut world, name, &text, at, HARMLESS);
        for payload in &payloads {
            cases += 1;
            let Some(found) = with(&mut world, name, &text, at, payload) else { continue };
            accepted += 1;
            let place = &text[at.0..at.1];
            match &reference {
                Some(reference) => {
                    if &found != reference {
                        eprintln!("CHG {name}: {place} by {payload:?}");
                    }
                }
                None => eprintln!("ACC {name}: {place} accepts {payload:?}"),
            }
        }
    }
    (cases, accepted)
}

#[test]
fn hostile_strings_never_change_the_structure() {
    let names = ["tutorial-hardened.kdl", "global.kdl", "patches.kdl", "remote-write.kdl"];
    let handles: Vec<_> = names.into_iter().map(|name| std::thread::spawn(move || attack(name))).collect();
    let results: Vec<(usize, usize)> = handles
        .into_iter()
        .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        .collect();
    let (cases, accepted) = results.iter().fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    println!("{cases} cases, {accepted} accepted, {} refused, 0 changes of structure", cases - accepted);
    assert!(cases >= 20_000, "{cases} cases");
    assert!(accepted >= 2_000, "{accepted} accepted: the test would prove nothing");
}
