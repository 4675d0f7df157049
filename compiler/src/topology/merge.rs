//! Overlays: how one list of nodes is laid over another.
//!
//! Same node name and same identity merge: arguments and properties of the overlay replace, children recurse. `remove`
//! takes a node away, `replace` puts one in place of another without merging.

use super::tree::{Node, Scalar};
use crate::diagnostic::{Diagnostic, did_you_mean};

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

/// Lays `over` on `base`.
pub fn merge(base: &mut Vec<Node>, over: Vec<Node>, diagnostics: &mut Vec<Diagnostic>) {
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
            _ => match base.iter_mut().find(|candidate| same(candidate, &node)) {
                Some(place) => merge_node(place, node, diagnostics),
                None => base.push(node),
            },
        }
    }
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
        let present: Vec<&str> = base.iter().map(|node| node.name.as_str()).collect();
        let what = which.map_or(name.to_string(), |which| format!("{name} {which}"));
        diagnostics.push(
            Diagnostic::error("KDL013", order.span, format!("nothing to remove: there is no `{what}` here"))
                .maybe_help(did_you_mean(name, present)),
        );
    }
}
