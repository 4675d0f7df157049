//! No string of a topology can change the structure of what is rendered.
//!
//! Every string value of four topologies is replaced, one at a time, by hostile payloads. Either the compiler refuses the
//! topology, or the rendered tree has the same objects, documents and nodes as it has with a harmless value there.

mod payloads;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compiler::pipeline::{Outcome, Request, render};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use compiler::topology::parse::parse;
use compiler::topology::tree::{Node, Scalar};
use payloads::{HARMLESS, payloads};
use serde_json::Value;

/// Nodes whose string is YAML or JSON by definition: there the author writes structure.
const STRUCTURED: &[&str] = &["yaml", "json-patch", "include", "import", "manifest"];

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
#[derive(Debug, PartialEq, Eq, Default, Clone)]
struct Shape {
    files: usize,
    documents: usize,
    kinds: BTreeMap<String, Count>,
}

#[derive(Debug, PartialEq, Eq, Default, Clone, Copy)]
struct Count {
    objects: usize,
    maps: usize,
    lists: usize,
    scalars: usize,
}

impl Shape {
    fn objects_only(&self) -> Shape {
        let mut shape = self.clone();
        shape
            .kinds
            .values_mut()
            .for_each(|count| *count = Count { objects: count.objects, ..Count::default() });
        shape
    }
}

impl Count {
    fn add(&mut self, value: &Value, embedded: bool) {
        match value {
            Value::Object(map) => {
                self.maps += 1;
                for (key, below) in map {
                    match below {
                        Value::String(text)
                            if embedded
                                && [".yaml", ".yml", ".tmpl"].iter().any(|end| key.ends_with(end)) =>
                        {
                            let documents = yaml::parse(text).expect("embedded YAML parses");
                            documents.iter().for_each(|document| self.add(document, false));
                        }
                        below => self.add(below, embedded),
                    }
                }
            }
            Value::Array(items) => {
                self.lists += 1;
                items.iter().for_each(|item| self.add(item, embedded));
            }
            _ => self.scalars += 1,
        }
    }
}

/// Shapes of file texts that were seen: most files of a run are those of the run before.
type Seen = BTreeMap<String, Vec<(String, Count)>>;

fn shape(outcome: &Outcome, seen: &mut Seen, remember: bool) -> Shape {
    let mut shape = Shape { files: outcome.artefacts.len(), ..Shape::default() };
    for artefact in outcome.artefacts.iter().filter(|artefact| artefact.path.ends_with(".yaml")) {
        let text = artefact.text();
        let counts = seen.get(text.as_ref()).cloned().unwrap_or_else(|| {
            let documents = yaml::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", artefact.path));
            let counts: Vec<(String, Count)> = documents
                .iter()
                .map(|document| {
                    let kind = document.get("kind").and_then(Value::as_str).unwrap_or("?").to_string();
                    let mut count = Count { objects: 1, ..Count::default() };
                    count.add(document, true);
                    (kind, count)
                })
                .collect();
            if remember {
                seen.insert(text.to_string(), counts.clone());
            }
            counts
        });
        shape.documents += counts.len();
        for (kind, count) in counts {
            let sum = shape.kinds.entry(kind).or_default();
            sum.objects += count.objects;
            sum.maps += count.maps;
            sum.lists += count.lists;
            sum.scalars += count.scalars;
        }
    }
    shape
}

/// Renders a topology; `None` when the compiler refuses it.
fn run(text: String, seen: &mut Seen, remember: bool) -> Option<Shape> {
    let world = MemoryWorld::single("t.kdl", text);
    let outcome = render(&world, &Request { path: "t.kdl".to_string(), ..Request::default() });
    (!compiler::diagnostic::has_errors(&outcome.diagnostics)).then(|| shape(&outcome, seen, remember))
}

/// One topology: every string by every payload. Returns (cases, accepted).
fn attack(name: &str, text: &str) -> (usize, usize) {
    let mut places = Vec::new();
    strings(&parse(0, text, &mut Vec::new()), &mut places);
    let (mut cases, mut accepted) = (0, 0);
    let payloads = payloads();
    let mut seen = Seen::new();
    let original = run(text.to_string(), &mut seen, true);
    assert!(original.is_some(), "{name} itself is refused");
    for at in places {
        let with = |payload: &str, seen: &mut Seen, remember| {
            run(format!("{}{}{}", &text[..at.0], quoted(payload), &text[at.1..]), seen, remember)
        };
        // A value that takes no free text (a size, a duration) may mean another setting, but never other objects.
        let free = with(HARMLESS, &mut seen, true);
        let expected = free.clone().or_else(|| original.as_ref().map(Shape::objects_only));
        for payload in &payloads {
            cases += 1;
            let Some(found) = with(payload, &mut seen, false) else { continue };
            accepted += 1;
            // `from=` lists labels with commas: there a comma means one more item of that list, by the language.
            let list = text[..at.0].ends_with("from=") && payload.contains(',');
            let expected = if list { expected.as_ref().map(Shape::objects_only) } else { expected.clone() };
            let found = if free.is_some() && !list { found } else { found.objects_only() };
            let place = &text[at.0..at.1];
            assert_eq!(
                Some(found),
                expected,
                "{name}: {place} replaced by {payload:?} changes the structure"
            );
        }
    }
    (cases, accepted)
}

#[test]
#[expect(clippy::print_stdout, reason = "how many cases were run belongs into the log")]
fn hostile_strings_never_change_the_structure() {
    let mut handles = Vec::new();
    for section in include_str!("topologies.kdl").split("--- ").filter(|section| !section.is_empty()) {
        let (name, text) = section.split_once(" ---\n").expect("a section has a name");
        handles.push(std::thread::spawn(move || attack(name, text)));
    }
    let results: Vec<(usize, usize)> = handles
        .into_iter()
        .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        .collect();
    let (cases, accepted) = results.iter().fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    println!("{cases} cases, {accepted} accepted, {} refused, 0 changes of structure", cases - accepted);
    assert!(cases >= 20_000, "{cases} cases");
    assert!(accepted >= 5_000, "{accepted} accepted: the test would prove nothing");
}
