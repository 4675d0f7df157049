//! Overlays: how one list of nodes is laid over another.
//!
//! Same node name and same identity merge: arguments and properties of the overlay replace, children recurse. `remove`
//! takes a node away, `replace` puts one in place of another without merging.

use std::collections::BTreeMap;

use super::tree::{Node, Scalar};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::source::Span;

/// Nodes of which there may be several side by side; their first argument (or `as=`) tells them apart.
/// All other nodes are single, and an overlay's arguments replace theirs.
pub const REPEATABLE: &[&str] = &[
    "ack",
    "alert",
    "allow",
    "args",
    "bucket",
    "cluster",
    "default",
    "env",
    "file",
    "json-patch",
    "key",
    "label",
    "manifest",
    "match",
    "patch",
    "pin",
    "prometheus",
    "reach",
    "record",
    "relabel",
    "metric-relabel",
    "remote-read",
    "remote-write",
    "receiver",
    "remove",
    "rules",
    "scrape",
    "secret",
    "set",
    "static",
    "storage",
    "tenant",
    "var",
    "weight",
    "window",
    "workload",
    "push",
    "profile",
    "feature",
    "http-sd",
    "dns",
];

/// Nodes whose identity nobody else may have: two of them would become one object or one group. Jobs are
/// compared where their names are settled.
const NAMED: &[&str] =
    &["cluster", "profile", "prometheus", "receiver", "rules", "storage", "tenant", "weight", "workload"];

/// What tells two nodes of one name apart.
fn identity(node: &Node) -> Option<String> {
    if !REPEATABLE.contains(&node.name.as_str()) {
        return None;
    }
    if let Some(name) = node.prop_text("as") {
        return Some(name.to_string());
    }
    Some(node.args.first().map_or(String::new(), |value| match &value.scalar {
        Scalar::Str(text) => text.clone(),
        other => other.describe(),
    }))
}

fn same(a: &Node, b: &Node) -> bool {
    a.name == b.name && identity(a) == identity(b)
}

/// Lays `over` on `base`. Nodes of one name and identity meet in their order: the second of `over` is laid on the second
/// of `base`, so that what is written twice in one place stays written twice.
pub fn merge(base: &mut Vec<Node>, over: Vec<Node>, diagnostics: &mut Vec<Diagnostic>) {
    let mut met: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    for node in over {
        match node.name.as_str() {
            "remove" => remove(base, &node, diagnostics),
            "replace" => {
                for child in node.children {
                    match base.iter_mut().find(|candidate| same(candidate, &child)) {
                        Some(place) => *place = child,
                        None => base.push(child),
                    }
                }
            }
            _ => {
                let before = met.entry((node.name.clone(), identity(&node))).or_default();
                *before += 1;
                match base.iter_mut().filter(|candidate| same(candidate, &node)).nth(*before - 1) {
                    Some(place) => merge_node(place, node, diagnostics),
                    None => base.push(node),
                }
            }
        }
    }
}

/// Reports nodes that may stand side by side but not under one name, such as two clusters `eu`.
pub fn repeated(node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<(&str, String), Span> = BTreeMap::new();
    for child in &node.children {
        repeated(child, diagnostics);
        if !NAMED.contains(&child.name.as_str()) {
            continue;
        }
        let Some(name) = identity(child) else { continue };
        // A weight and a shard are told apart by a number, everything else by a word.
        if name.is_empty() && child.name != "prometheus" {
            continue;
        }
        match seen.get(&(child.name.as_str(), name.clone())) {
            Some(first) => {
                let (message, help) = match name.is_empty() {
                    true => (
                        format!("a second `{}` without a name", child.name),
                        format!("name them: `{} apps {{ … }}`", child.name),
                    ),
                    false => (
                        format!("a second `{}` called {}", child.name, shown(child)),
                        "keep one of the two, or give it another name".to_string(),
                    ),
                };
                let found = Diagnostic::error("KDL008", child.name_span, message).help(help);
                diagnostics.push(if *first == child.name_span {
                    found
                } else {
                    found.related(*first, "the first one")
                });
            }
            None => {
                seen.insert((child.name.as_str(), name), child.name_span);
            }
        }
    }
}

fn shown(node: &Node) -> String {
    let name = node.prop_text("as").map(str::to_string);
    let first = || node.args.first().map(|value| value.scalar.written());
    format!("`{}`", name.or_else(first).unwrap_or_default())
}

fn merge_node(base: &mut Node, over: Node, diagnostics: &mut Vec<Diagnostic>) {
    if !over.args.is_empty() {
        base.args = over.args;
    }
    for prop in over.props {
        match base.props.iter_mut().find(|old| old.name == prop.name) {
            Some(old) => *old = prop,
            None => base.props.push(prop),
        }
    }
    // From here on the node is what the overlay made of it, so messages point there.
    base.span = over.span;
    base.name_span = over.name_span;
    if base.name == "patch" {
        // Here `remove` is an operation of the patch itself, and operations keep their order.
        base.children.extend(over.children);
        return;
    }
    merge(&mut base.children, over.children, diagnostics);
}

fn remove(base: &mut Vec<Node>, order: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut words = order.args.iter().filter_map(|value| match &value.scalar {
        Scalar::Str(text) => Some(text.as_str()),
        _ => None,
    });
    let Some(name) = words.next() else {
        diagnostics.push(
            Diagnostic::error("KDL005", order.span, "`remove` does not say what")
                .help("write `remove ruler` or `remove scrape etcd`"),
        );
        return;
    };
    let which = words.next();
    let before = base.len();
    base.retain(|node| {
        node.name != name || which.is_some_and(|wanted| identity(node).as_deref() != Some(wanted))
    });
    if base.len() == before {
        let words: Vec<String> = match base.iter().any(|node| node.name == name) {
            true => base.iter().filter(|node| node.name == name).filter_map(identity).collect(),
            false => base.iter().map(|node| node.name.clone()).collect(),
        };
        let wanted = if base.iter().any(|node| node.name == name) { which.unwrap_or(name) } else { name };
        let what = which.map_or(name.to_string(), |which| format!("{name} {which}"));
        diagnostics.push(
            Diagnostic::error("KDL013", order.span, format!("nothing to remove: there is no `{what}` here"))
                .help(
                    did_you_mean(wanted, words.iter().map(String::as_str))
                        .unwrap_or_else(|| "remove this line".to_string()),
                ),
        );
    }
}
