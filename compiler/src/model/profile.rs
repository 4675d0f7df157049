//! Profiles: named, versioned sets of defaults. Every default that reaches a manifest can say which one it was.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use prom_model::PromDuration;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::pipeline::Origin;
use crate::topology::decode::Written;
use crate::topology::tree::{Node, Scalar};
use crate::topology::values::Size;

const SHIPPED: [(&str, &str); 2] = [
    ("hardened", include_str!("../../profiles/hardened.kdl")),
    ("bare", include_str!("../../profiles/bare.kdl")),
];

/// A value and who set it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// A value that follows from others.
    pub fn derived(value: T, why: impl Into<String>) -> Self {
        Sourced { value, origin: Origin::Derived(why.into()) }
    }

    /// The same origin with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), origin: self.origin }
    }
}

impl<T> std::ops::Deref for Sourced<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// What a default is worth as text.
fn text_of(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Str(text) => text.clone(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Bool(flag) => flag.to_string(),
        Scalar::Null => String::new(),
    }
}

/// A set of defaults.
#[derive(Debug, Clone)]
pub struct Profile {
    /// `hardened`, `bare`, or the name of a company's own.
    pub name: String,
    values: BTreeMap<String, (String, Origin)>,
}

impl Profile {
    /// The shipped profile `hardened`.
    pub fn hardened() -> Profile {
        shipped("hardened")
            .cloned()
            .unwrap_or(Profile { name: "hardened".to_string(), values: BTreeMap::new() })
    }

    /// Finds the profile that a topology names, among the declared ones and the shipped ones.
    pub fn find(
        name: Option<&Written<String>>,
        declared: &[Node],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Profile {
        let Some(name) = name else { return Profile::hardened() };
        Profile::resolve(&name.value, name.span, declared, 0, diagnostics).unwrap_or_else(Profile::hardened)
    }

    fn resolve(
        name: &str,
        span: crate::source::Span,
        declared: &[Node],
        depth: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Profile> {
        if let Some(profile) = shipped(name) {
            return Some(profile.clone());
        }
        let Some(node) = declared.iter().find(|node| node.first_text() == Some(name)) else {
            let known: Vec<&str> = SHIPPED
                .iter()
                .map(|(name, _)| *name)
                .chain(declared.iter().filter_map(Node::first_text))
                .collect();
            diagnostics.push(
                Diagnostic::error("KDL013", span, format!("there is no profile `{name}`"))
                    .maybe_help(did_you_mean(name, known)),
            );
            return None;
        };
        let parent = node.prop_text("extends").unwrap_or("hardened");
        let place = node.prop("extends").map_or(node.span, |value| value.span);
        if depth >= 8 {
            let message = format!("profile `{name}` extends itself");
            let help = "let one of them extend `hardened` or `bare`";
            diagnostics.push(Diagnostic::error("KDL013", place, message).help(help));
            return None;
        }
        let mut profile = Profile::resolve(parent, place, declared, depth + 1, diagnostics)?;
        profile.name = name.to_string();
        let known = Profile::hardened();
        for child in &node.children {
            let (Some(key), Some(value)) = (child.first_text(), child.args.get(1)) else {
                diagnostics.push(
                    Diagnostic::error("KDL005", child.span, "a default has a key and a value")
                        .help("write `default \"prometheus.retention\" \"48h\"`"),
                );
                continue;
            };
            if child.name != "default" {
                let message = format!("`profile` has no node `{}`", child.name);
                diagnostics.push(
                    Diagnostic::error("KDL002", child.name_span, message).help("did you mean `default`?"),
                );
                continue;
            }
            if !known.values.contains_key(key) {
                let help = did_you_mean(key, known.values.keys().map(String::as_str));
                let message = format!("there is no default `{key}`");
                diagnostics.push(Diagnostic::error("KDL003", child.args[0].span, message).maybe_help(help));
                continue;
            }
            profile.values.insert(key.to_string(), (text_of(&value.scalar), Origin::Line(value.span)));
        }
        Some(profile)
    }

    /// Whether this is `bare` or built on it.
    pub fn is_bare(&self) -> bool {
        !self.flag("names.recommended-labels")
    }

    /// A default as text; empty when it is switched off.
    pub fn text(&self, key: &str) -> Sourced<String> {
        match self.values.get(key) {
            Some((value, origin)) => Sourced { value: value.clone(), origin: origin.clone() },
            None => Sourced::derived(String::new(), format!("no default {key}")),
        }
    }

    /// A default that is on or off.
    pub fn flag(&self, key: &str) -> bool {
        self.text(key).value == "true"
    }

    /// What was written, or else the default as text.
    pub fn or_text(&self, written: Option<&Written<String>>, key: &str) -> Sourced<String> {
        written.map_or_else(
            || self.text(key),
            |written| Sourced { value: written.value.clone(), origin: Origin::Line(written.span) },
        )
    }

    /// What was written, or else the default as a number.
    pub fn or_count(&self, written: Option<&Written<u32>>, key: &str) -> Sourced<u32> {
        written.map_or_else(
            || self.text(key).map(|text| text.parse().unwrap_or(1)),
            |written| Sourced { value: written.value, origin: Origin::Line(written.span) },
        )
    }

    /// What was written, or else the default as a duration; `None` when the default is off.
    pub fn or_duration(
        &self,
        written: Option<&Written<PromDuration>>,
        key: &str,
    ) -> Sourced<Option<PromDuration>> {
        written.map_or_else(
            || self.text(key).map(|text| text.parse().ok()),
            |written| Sourced { value: Some(written.value), origin: Origin::Line(written.span) },
        )
    }

    /// What was written, or else the default as a size; `None` when the default is off.
    pub fn or_size(&self, written: Option<&Written<Size>>, key: &str) -> Sourced<Option<Size>> {
        written.map_or_else(
            || self.text(key).map(|text| Size::parse(&text)),
            |written| Sourced { value: Some(written.value.clone()), origin: Origin::Line(written.span) },
        )
    }

    /// What was written, or else the default as a flag.
    pub fn or_flag(&self, written: Option<&Written<bool>>, key: &str) -> Sourced<bool> {
        written.map_or_else(
            || self.text(key).map(|text| text == "true"),
            |written| Sourced { value: written.value, origin: Origin::Line(written.span) },
        )
    }
}

/// A written value with its line.
pub fn line<T: Clone>(written: &Written<T>) -> Sourced<T> {
    Sourced { value: written.value.clone(), origin: Origin::Line(written.span) }
}

fn shipped(name: &str) -> Option<&'static Profile> {
    static PROFILES: OnceLock<Vec<Profile>> = OnceLock::new();
    let profiles = PROFILES.get_or_init(|| {
        let mut profiles: Vec<Profile> = Vec::new();
        for (name, text) in SHIPPED {
            let nodes = crate::topology::parse::parse(u32::MAX, text, &mut Vec::new());
            let Some(node) = nodes.into_iter().next() else { continue };
            let version = node.prop("version").map(|value| text_of(&value.scalar)).unwrap_or_default();
            let parent =
                node.prop_text("extends").and_then(|parent| profiles.iter().find(|p| p.name == parent));
            let mut values = parent.map(|parent| parent.values.clone()).unwrap_or_default();
            for child in &node.children {
                if let (Some(key), Some(value)) = (child.first_text(), child.args.get(1)) {
                    let origin = Origin::Default(format!("{name}@{version}/{key}"));
                    values.insert(key.to_string(), (text_of(&value.scalar), origin));
                }
            }
            profiles.push(Profile { name: name.to_string(), values });
        }
        profiles
    });
    profiles.iter().find(|profile| profile.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_extends_hardened() {
        let (hardened, bare) = (Profile::hardened(), Profile::find(None, &[], &mut Vec::new()));
        assert_eq!(hardened.name, bare.name);
        let bare = shipped("bare").expect("shipped");
        assert!(bare.is_bare() && !hardened.is_bare());
        assert_eq!(bare.text("alertmanager.retention").value, "120h");
        assert_eq!(
            hardened.text("prometheus.grace").origin,
            Origin::Default("hardened@1/prometheus.grace".into())
        );
        assert!(
            bare.values.keys().eq(hardened.values.keys()),
            "bare names a key that hardened does not have"
        );
    }
}
