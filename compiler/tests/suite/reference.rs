//! `LANGUAGE.md`: the reference of the language, written from the decoder itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use compiler::topology::decode::{Decode, FieldReference, Place, Reference};
use compiler::topology::nodes::whole::Topology;

const PREFACE: &str = "# The language of topologies

A topology is one [KDL 2](https://kdl.dev) file. Nodes are things (`prometheus`, `bucket`, `query`), their first argument
is a name, properties (`replicas=2`) are settings, and what stands between braces belongs to the node. A node that is
written is deployed; nothing else has to be switched on.

- Durations, sizes, versions, paths and images are strings: `\"15s\"`, `\"2Gi\"`, `\"3.14.0\"`, `\"rules/*.yaml\"`.
- Switches are `#true` and `#false`.
- `//` starts a comment, `/* … */` encloses one, `/-` takes the next node away.
- `${NAME}` inside a string is the value of `var NAME`; `$${NAME}` stays as it is.

This page is generated from the compiler: what it does not name is refused.

";

const FILE: &str = "## At the top of a file

| node | what it does |
|---|---|
| `topology NAME { … }` | The deployment; one in a file. |
| `include \"PATH\"` | Puts the nodes of other files here; `*` and `**` are patterns. Also inside nodes. |
| `import \"PATH\" as=NAME` | Reads a template for clusters: `cluster eu uses=NAME`. |
| `var NAME default=VALUE` | Declares a variable; `default=(env)\"NAME\"` reads the environment. Also inside `topology`. |
| `profile NAME extends=hardened { default \"KEY\" VALUE; }` | A set of defaults, chosen by `topology NAME profile=…`. |
| any node of `topology` | A default that lies beneath the topology's own nodes. |

## Besides, inside `topology`

| node | what it does |
|---|---|
| `cluster NAME uses=TEMPLATE { … }` | A cluster: what the topology says, then the template, then its own nodes. It takes every property and node of `topology`. |
| `env NAME { … }` | An overlay for `--env NAME`: nodes of the same name and first argument are merged, properties replace. |
| `remove NODE NAME` | In an overlay: takes a node away. |
| `replace { … }` | In an overlay: puts nodes in place of those with the same name, without merging. |

";

fn title(reference: &Reference) -> String {
    let mut title = reference.name.to_string();
    for field in &reference.fields {
        let name = field.name.replace('_', "-").to_uppercase();
        let _ = match field.place {
            Place::Needed => write!(title, " {name}"),
            Place::Argument => write!(title, " [{name}]"),
            Place::Rest => write!(title, " {name}…"),
            Place::Property | Place::Open | Place::AnyChild => Ok(()),
        };
    }
    title
}

/// A name in a table, free of what Markdown would take for its own.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

fn table(
    out: &mut String,
    heading: &str,
    fields: &[&FieldReference],
    shown: impl Fn(&FieldReference) -> String,
) {
    if fields.is_empty() {
        return;
    }
    let _ = writeln!(out, "| {heading} | type | meaning |\n|---|---|---|");
    for field in fields {
        let kind = if field.expected.is_empty() { "nodes" } else { field.expected };
        let _ = writeln!(out, "| {} | {} | {} |", shown(field), cell(kind), cell(field.doc));
    }
    out.push('\n');
}

fn anchor(name: &str) -> String {
    format!("[`{name}`](#node-{name})")
}

/// Nodes by name, with the nodes that they stand in. Two kinds of one name (`rules` of `topology` and of `ruler`) are
/// one kind wherever they stand.
fn collect<'a>(
    reference: &'a Reference,
    all: &mut BTreeMap<&'a str, Vec<&'a Reference>>,
    inside: &mut BTreeMap<&'a str, BTreeSet<&'a str>>,
) {
    let kinds = all.entry(reference.name).or_default();
    if kinds.iter().any(|known| known.doc == reference.doc) {
        return;
    }
    kinds.push(reference);
    for (child, _) in &reference.children {
        inside.entry(child.name).or_default().insert(reference.name);
        collect(child, all, inside);
    }
}

fn section(out: &mut String, name: &str, kinds: &[&Reference], inside: &BTreeMap<&str, BTreeSet<&str>>) {
    let _ = writeln!(out, "<a id=\"node-{name}\"></a>\n\n### `{name}`\n");
    for reference in kinds {
        let _ = writeln!(out, "`{}`: {}\n", title(reference), reference.doc.trim());
        let fields = |wanted: &[Place]| -> Vec<&FieldReference> {
            reference.fields.iter().filter(|field| wanted.contains(&field.place)).collect()
        };
        table(out, "argument", &fields(&[Place::Needed, Place::Argument, Place::Rest]), |field| {
            format!("`{}`", field.name.replace('_', "-").to_uppercase())
        });
        table(out, "property", &fields(&[Place::Property]), |field| format!("`{}`", field.name));
        table(out, "besides", &fields(&[Place::Open, Place::AnyChild]), |field| match field.place {
            Place::Open => "any `NAME=VALUE`".to_string(),
            _ => "any node".to_string(),
        });
        if !reference.children.is_empty() {
            let children: Vec<String> = reference
                .children
                .iter()
                .map(|(child, many)| format!("{}{}", anchor(child.name), if *many { " …" } else { "" }))
                .collect();
            let _ = writeln!(out, "Between its braces: {}.\n", children.join(", "));
        }
    }
    if let Some(parents) = inside.get(name) {
        let parents: Vec<String> = parents.iter().map(|parent| anchor(parent)).collect();
        let _ = writeln!(out, "Stands in {}.\n", parents.join(", "));
    }
}

fn page() -> String {
    let topology = Topology::reference();
    let (mut all, mut inside) = (BTreeMap::new(), BTreeMap::new());
    collect(&topology, &mut all, &mut inside);
    let mut out = PREFACE.to_string();
    out.push_str("## Contents\n\n");
    let _ = writeln!(out, "- [At the top of a file](#at-the-top-of-a-file)");
    let _ = writeln!(out, "- [Besides, inside `topology`](#besides-inside-topology)");
    let _ = writeln!(
        out,
        "- [Nodes](#nodes): {}\n",
        all.keys().map(|name| anchor(name)).collect::<Vec<_>>().join(", ")
    );
    out.push_str(FILE);
    out.push_str("## Nodes\n\n`…` behind a node means that it may stand several times.\n\n");
    section(&mut out, "topology", &all["topology"], &inside);
    for (name, kinds) in all.iter().filter(|(name, _)| **name != "topology") {
        section(&mut out, name, kinds, &inside);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[test]
fn the_reference_says_what_the_decoder_does() {
    let path = super::folder("LANGUAGE.md");
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    if let Err(difference) = super::compare(&path, &is, &page()) {
        panic!("{difference}");
    }
}
