//! Declared variables: `var REGION default=eu-west-1`, used as `${REGION}` inside strings.
//!
//! Nothing is ever substituted over emitted text, and only declared names are substituted at all, so `${1}` in a relabel
//! replacement and `$labels` in an alert stay what they are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Node, Scalar, Value};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::source::{Span, World};

/// Names that the pod itself fills in at start; they pass through untouched.
pub const POD_VARIABLES: [&str; 3] = ["POD_NAME", "POD_NAMESPACE", "NODE_NAME"];

/// Longest string after substitution, in bytes: variables may name variables, and must not explode.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// The declared variables and their values.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, (Option<String>, Span)>,
    used: RefCell<BTreeSet<String>>,
    /// Variables whose value is missing for a reason that was reported.
    silent: BTreeSet<String>,
}

impl Variables {
    /// Reads the `var` nodes.
    pub fn declare(world: &dyn World, nodes: Vec<Node>, diagnostics: &mut Vec<Diagnostic>) -> Variables {
        let mut variables = Variables::default();
        for node in nodes {
            let Some(name) = node.first_text().map(str::to_string) else {
                diagnostics.push(
                    Diagnostic::error("KDL005", node.span, "`var` has no name")
                        .help("write `var REGION default=eu-west-1`"),
                );
                continue;
            };
            let legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !legal || POD_VARIABLES.contains(&name.as_str()) {
                let message = format!("`{name}` cannot be the name of a variable");
                let help = "letters, digits and `_`, not starting with a digit, and none of POD_NAME, POD_NAMESPACE, NODE_NAME";
                diagnostics.push(Diagnostic::error("KDL010", node.args[0].span, message).help(help));
                continue;
            }
            for value in node.args.iter().skip(1) {
                let help = format!("write `var {name} default={}`", value.scalar.written());
                let message = format!("`var` has no place for {}", value.scalar.describe());
                diagnostics.push(Diagnostic::error("KDL007", value.span, message).help(help));
                variables.silent.insert(name.clone());
            }
            for child in &node.children {
                let message = format!("`var` has no node `{}`", child.name);
                let help = format!("it has no children: `var {name} default=…`");
                diagnostics.push(Diagnostic::error("KDL002", child.name_span, message).help(help));
            }
            for prop in node.props.iter().filter(|prop| prop.name != "default") {
                variables.silent.insert(name.clone());
                let message = format!("`var` has no property `{}`", prop.name);
                diagnostics.push(
                    Diagnostic::error("KDL003", prop.name_span, message).help("did you mean `default`?"),
                );
            }
            let value = node.prop("default").and_then(|value| text_of(world, value, diagnostics));
            if value.is_none() && node.prop("default").is_some() {
                variables.silent.insert(name.clone());
            }
            if let Some((_, first)) = variables.values.get(&name) {
                diagnostics.push(
                    Diagnostic::error("KDL008", node.span, format!("variable `{name}` is declared twice"))
                        .related(*first, "first declared here")
                        .help("keep one of the two"),
                );
            }
            variables.values.insert(name, (value, node.span));
        }
        variables
    }

    /// Replaces every `${NAME}` of a declared variable in the values of `node`, and every `(env)"NAME"`.
    pub fn substitute(&self, node: &mut Node, diagnostics: &mut Vec<Diagnostic>) {
        node.each_value(&mut |value| {
            if let Scalar::Str(text) = &value.scalar
                && text.contains("${")
            {
                match self.expand(text, value.span, diagnostics) {
                    Some(expanded) => value.scalar = Scalar::Str(expanded),
                    // Why is said already; what would follow from a guess is not worth saying.
                    None => value.unknown = true,
                }
            }
        });
    }

    fn expand(&self, text: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
        let mut known = true;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            // `$${X}` is the way to write a literal `${X}`.
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at]);
                out.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                let name: String =
                    rest[at + 2..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if self.values.contains_key(&name) || is_constant_case(&name) {
                    let message = format!("`${{{name}` is never closed");
                    let help = format!("write `${{{name}}}`, or `$${{{name}` to keep it as text");
                    diagnostics.push(Diagnostic::error("KDL010", span, message).help(help));
                    known = false;
                }
                if let Some((name, _)) = self.values.get_key_value(&name) {
                    self.used.borrow_mut().insert(name.clone());
                }
                rest = &rest[at..];
                break;
            };
            let inside = &rest[at + 2..at + end];
            let (name, mandatory) = inside.strip_suffix(":?").map_or((inside, false), |name| (name, true));
            match self.values.get(name) {
                Some((Some(value), _)) => {
                    self.used.borrow_mut().insert(name.to_string());
                    out.push_str(value);
                }
                Some((None, declared)) => {
                    known = false;
                    self.used.borrow_mut().insert(name.to_string());
                    // A default that could not be read is reported at its declaration.
                    if !self.silent.contains(name) {
                        diagnostics.push(
                            Diagnostic::error("KDL010", span, format!("variable `{name}` has no value"))
                                .related(*declared, "declared here without `default`")
                                .help(format!(
                                    "give it one: `var {name} default=…`, or `default=(env)\"{name}\"`"
                                )),
                        );
                    }
                }
                None if mandatory || (is_constant_case(name) && !POD_VARIABLES.contains(&name)) => {
                    let help = did_you_mean(name, self.values.keys().map(String::as_str))
                        .filter(|help| help.starts_with("did"))
                        .unwrap_or_else(|| {
                            format!(
                                "declare `var {name} default=…`, or write `$${{{name}}}` to keep it as text"
                            )
                        });
                    known = false;
                    diagnostics.push(
                        Diagnostic::error("KDL010", span, format!("`${{{name}}}` is not declared"))
                            .help(help),
                    );
                }
                None => out.push_str(&rest[at..=at + end]),
            }
            rest = &rest[at + end + 1..];
            if out.len() > EXPANDED_BYTES_MAX {
                diagnostics.push(
                    Diagnostic::error("KDL011", span, "the string grows past 1 MiB after substitution")
                        .help("shorten the values of the variables in it"),
                );
                return None;
            }
        }
        out.push_str(rest);
        known.then_some(out)
    }

    /// Remarks on variables that nothing names.
    pub fn report_unused(&self, diagnostics: &mut Vec<Diagnostic>) {
        let used = self.used.borrow();
        for (name, (_, span)) in self.values.iter().filter(|(name, _)| !used.contains(*name)) {
            diagnostics.push(
                Diagnostic::info("KDL010", *span, format!("variable `{name}` is never used"))
                    .help("remove it"),
            );
        }
    }
}

/// `REGION`, `MY_VAR`: what people mean as a variable; `1` and `name` belong to regular expressions.
fn is_constant_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn text_of(world: &dyn World, value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    match (&value.scalar, value.annotation.as_deref()) {
        (Scalar::Str(name), Some("env")) => world.variable(name).or_else(|| {
            diagnostics.push(
                Diagnostic::error("KDL010", value.span, format!("environment variable `{name}` is not set"))
                    .help(format!("set {name}, or give a plain default")),
            );
            None
        }),
        (_, Some(other)) => {
            let message = format!("unknown type annotation `({other})`");
            diagnostics
                .push(Diagnostic::error("KDL006", value.span, message).help("only `(env)\"NAME\"` exists"));
            None
        }
        (Scalar::Str(text), None) => Some(text.clone()),
        (Scalar::Int(number), None) => Some(number.to_string()),
        (Scalar::Float(number), None) => Some(number.to_string()),
        (Scalar::Bool(flag), None) => Some(flag.to_string()),
        (Scalar::Null, None) => {
            let message = "expected a value, found #null";
            diagnostics.push(
                Diagnostic::error("KDL006", value.span, message).help("leave `default` out, or write text"),
            );
            None
        }
    }
}
