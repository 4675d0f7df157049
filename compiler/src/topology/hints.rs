//! Helps for words that stand in the wrong place: where they belong, and how this language calls them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::decode::{Decode, Place, Reference};
use super::nodes::whole::Topology;
use super::tree::Node;
use crate::diagnostic::{did_you_mean, nearest};

/// Words of Prometheus, Thanos, the operator and everyday speech: (node, or `*`; what is written; what to do).
const KNOWN: &[(&str, &str, &str)] = &[
    ("topology", "sidecar", "a sidecar follows from `bucket` or `query`: there is nothing to write"),
    ("topology", "reloader", "write `reload …` between the braces of `prometheus`"),
    ("topology", "querier", "did you mean `query`?"),
    ("topology", "thanos", "write `query`, `store`, `compact`, `ruler` or `receive`"),
    ("topology", "store-gateway", "did you mean `store`?"),
    ("topology", "storegateway", "did you mean `store`?"),
    ("topology", "objstore", "did you mean `bucket`?"),
    ("topology", "rule", "did you mean `rules` or `ruler`?"),
    ("topology", "query-frontend", "write `query { frontend }`"),
    ("topology", "versions", "did you mean `target`?"),
    ("topology", "minio", "write `bucket NAME { minio … }`"),
    ("topology", "s3", "write `bucket NAME { s3 … }`"),
    ("topology", "replicas", "write it on the component: `prometheus replicas=2`"),
    ("cluster", "use", "did you mean `uses`?"),
    ("topology", "uses", "it belongs to `cluster`: `cluster eu uses=…`"),
    ("target", "k8s", "did you mean `kubernetes`?"),
    ("prometheus", "scrape_interval", "write `every \"30s\"` between the braces of `prometheus`"),
    ("prometheus", "interval", "write `every \"30s\"` between the braces of `prometheus`"),
    ("prometheus", "external_labels", "did you mean `identity`?"),
    ("prometheus", "job", "did you mean `scrape`?"),
    ("prometheus", "global", "write `every` for intervals and `identity` for external labels"),
    ("scrape", "name", "the name of a job is written as=…"),
    ("scrape", "job", "the name of a job is written as=…"),
    ("scrape", "interval", "did you mean `every`?"),
    ("scrape", "relabel_configs", "did you mean `relabel`?"),
    ("scrape", "static_configs", "did you mean `static`?"),
    ("scrape", "targets", "did you mean `static`?"),
    ("scrape", "metric_relabel_configs", "did you mean `metric-relabel`?"),
    ("scrape", "metrics_path", "did you mean `path`?"),
    ("*", "source_labels", "did you mean `from`?"),
    ("*", "target_label", "did you mean `to`?"),
    ("alert", "expression", "did you mean `expr`?"),
    ("alert", "labels", "labels are properties: `alert NAME team=node`"),
    ("record", "expression", "did you mean `expr`?"),
    ("compact", "retention", "did you mean `keep`?"),
    ("ruler", "interval", "did you mean `every`?"),
    ("ruler", "origin", "did you mean `origin-label`?"),
    ("rules", "interval", "did you mean `every`?"),
    ("receive", "replication-factor", "did you mean `factor`?"),
    ("patch", "delete", "did you mean `remove`?"),
    ("var", "value", "did you mean `default`?"),
    ("*", "size", "did you mean `disk`?"),
    ("*", "volume", "did you mean `disk`?"),
    ("*", "storage-class", "did you mean `class`?"),
];

/// Nodes that stand at the top of a file, or directly inside `topology`.
const PLACES: &[(&str, &str)] = &[
    ("topology", "it stands at the top of the file, and there is one"),
    ("import", "it stands at the top of the file, beside `topology`"),
    ("profile", "it stands at the top of the file, beside `topology`; `topology NAME profile=…` chooses one"),
    ("var", "it stands at the top of the file, or directly inside `topology`"),
    ("env", "it stands directly inside `topology`"),
    ("cluster", "it stands directly inside `topology`"),
];

fn known(node: &str, word: &str) -> Option<String> {
    // A cluster is a topology of its own.
    let names = |place: &str| place == node || place == "*" || (place == "topology" && node == "cluster");
    KNOWN
        .iter()
        .find(|(place, written, _)| names(place) && *written == word)
        .map(|(_, _, help)| help.to_string())
}

/// What is known of one word of the language.
#[derive(Default)]
struct Word {
    /// Nodes that have it as a child.
    inside: Vec<&'static str>,
    /// Nodes that have it as a property.
    of: Vec<&'static str>,
    /// Whether it is a node that takes an argument.
    takes_argument: bool,
}

fn collect(reference: &Reference, words: &mut BTreeMap<&'static str, Word>) {
    for field in &reference.fields {
        match field.place {
            Place::Property => {
                let of = &mut words.entry(field.name).or_default().of;
                if !of.contains(&reference.name) {
                    of.push(reference.name);
                }
            }
            Place::Needed | Place::Argument | Place::Rest => {
                words.entry(reference.name).or_default().takes_argument = true;
            }
            Place::Open | Place::AnyChild => {}
        }
    }
    for (child, _) in &reference.children {
        let inside = &mut words.entry(child.name).or_default().inside;
        if !inside.contains(&reference.name) {
            inside.push(reference.name);
        }
        collect(child, words);
    }
}

fn word(name: &str) -> Option<&'static Word> {
    static WORDS: OnceLock<BTreeMap<&'static str, Word>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        let mut words = BTreeMap::new();
        collect(&Topology::reference(), &mut words);
        words
    });
    words.get(name)
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How the head of a node is written: `alert Down`.
fn head(node: &Node) -> String {
    node.args
        .iter()
        .take(1)
        .fold(node.name.clone(), |head, value| format!("{head} {}", value.scalar.written()))
}

/// What to do about a child node that `node` does not have.
pub fn for_child(node: &Node, child: &Node, props: &[&str], children: &[&str]) -> Option<String> {
    let name = child.name.as_str();
    if name.contains("${") {
        return Some("variables stand in values, not in the names of nodes".to_string());
    }
    if props.contains(&name) && (!child.args.is_empty() || child.children.is_empty()) {
        let value = child.args.first().map_or("…".to_string(), |value| value.scalar.written());
        return Some(format!("`{name}` is a property: write `{} {name}={value}`", head(node)));
    }
    if let Some((_, help)) = PLACES.iter().find(|(place, _)| *place == name) {
        return Some((*help).to_string());
    }
    if let Some(help) = known(&node.name, name) {
        return Some(help);
    }
    if let Some(near) = nearest(name, children.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    if let Some(word) = word(name).filter(|word| !word.inside.is_empty()) {
        return Some(format!("`{name}` stands inside {}", list(&word.inside)));
    }
    match did_you_mean(name, props.iter().copied()).filter(|help| help.starts_with("did")) {
        Some(help) => Some(format!("{help} It is a property, written `{} NAME=VALUE`", head(node))),
        None if children.is_empty() => Some(format!(
            "`{}` has no children; what it takes is written on its line: {}",
            node.name,
            list(props)
        )),
        None => did_you_mean(name, children.iter().copied()),
    }
}

/// What to do about a property that `node` does not have.
pub fn for_property(node: &Node, name: &str, props: &[&str], children: &[&str]) -> Option<String> {
    if let Some(child) = children.iter().find(|child| **child == name) {
        let value = node.prop(name).map_or(String::new(), |value| format!(" {}", value.scalar.written()));
        // A node that takes an argument can be shown whole.
        let example = if word(child).is_some_and(|word| word.takes_argument) {
            format!("{child}{value}")
        } else {
            format!("{child} …")
        };
        return Some(format!("`{child}` is a node: write `{example}` between the braces of `{}`", node.name));
    }
    if let Some(help) = known(&node.name, name) {
        return Some(help);
    }
    if let Some(near) = nearest(name, props.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    if let Some(near) = nearest(name, children.iter().copied()) {
        return Some(format!(
            "did you mean the node `{near}`? It stands between the braces of `{}`",
            node.name
        ));
    }
    let starts = |other: &&&str| name.len() >= 3 && (other.starts_with(name) || name.starts_with(**other));
    if let Some(near) = props.iter().find(starts) {
        return Some(format!("did you mean `{near}`?"));
    }
    if props.is_empty() {
        return Some(format!("`{}` has no properties", node.name));
    }
    let mut all = did_you_mean(name, props.iter().copied()).unwrap_or_default();
    if let Some(word) = word(name).filter(|word| (1..=4).contains(&word.of.len())) {
        all = format!("{all}; `{name}` belongs to {}", list(&word.of));
    }
    Some(all)
}

/// What to do about arguments past the last one that `node` takes: `at` is the first of them. Returns message, help
/// and how many arguments are meant.
pub fn for_argument(
    node: &Node,
    at: usize,
    allowed: usize,
    props: &[&str],
    children: &[&str],
) -> (String, String, usize) {
    let value = &node.args[at];
    let text = match &value.scalar {
        super::tree::Scalar::Str(text) => text.as_str(),
        _ => "",
    };
    let next = node.args.get(at + 1).map(|value| value.scalar.written());
    let used = 1 + usize::from(next.is_some());
    if props.contains(&text) {
        let help = format!("write {text}={}", next.unwrap_or("…".to_string()));
        return (format!("`{text}` is a property of `{}`, not an argument", node.name), help, used);
    }
    if children.contains(&text) {
        let next = next.map_or(String::new(), |next| format!(" {next}"));
        let help = format!("write `{text}{next}` between the braces of `{}`", node.name);
        return (format!("`{text}` is a node inside `{}`, not an argument", node.name), help, used);
    }
    let rest = node.args.len() - at;
    let message = format!("`{}` has no place for {}", node.name, value.scalar.describe());
    if allowed == 1
        && !node.args[at..].iter().any(
            |value| matches!(&value.scalar, super::tree::Scalar::Str(text) if props.contains(&text.as_str())),
        )
    {
        let whole: Vec<String> = node
            .args
            .iter()
            .map(|value| match &value.scalar {
                super::tree::Scalar::Str(text) => text.clone(),
                other => other.written(),
            })
            .collect();
        let whole: String = whole.join(" ").chars().take(80).collect();
        return (
            message,
            format!("it takes one argument; if blanks belong to it, write quotes: {whole:?}"),
            rest,
        );
    }
    let takes = match allowed {
        0 => "no arguments".to_string(),
        1 => "one argument".to_string(),
        n => format!("{n} arguments"),
    };
    let help = match props.is_empty() {
        true => format!("it takes {takes}"),
        false => format!(
            "it takes {takes}; properties are written name=value: {}",
            props.iter().take(12).copied().collect::<Vec<_>>().join(", ")
        ),
    };
    (message, help, 1)
}
