//! Regular expressions as Prometheus understands them: Go's RE2 syntax, always matched against the whole text.
//!
//! Rust's regex crates speak another dialect (`\d` is Unicode, `[a&&b]` is a set operation, `(?x)` exists), so the
//! pattern is read by a parser of Go's syntax and only the matching is left to `regex-automata`.

mod class;
mod error;
mod escape;
mod expand;
mod memo;
mod parser;
mod search;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, Look};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use error::{GoRegexError, GoRegexErrorKind};
pub(crate) use expand::Template;
pub use search::GoSearch;

/// Longest accepted pattern. Prometheus sets no limit; dashboards send lists of some kilobytes.
const PATTERN_BYTES_MAX: usize = 64 << 10;
/// Largest compiled form; a pattern beyond it is refused rather than eating the process' memory.
const COMPILED_BYTES_MAX: usize = 10 << 20;
/// Up to so many alternatives a plain comparison is quicker than the automaton.
const COMPARED_LITERALS_MAX: usize = 16;
/// A pattern that stands for more texts than this is not offered as a list.
const LITERALS_MAX: usize = 4096;

/// What `.` matches where the pattern does not say it itself with `(?s)` or `(?-s)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dot {
    /// Every character: Prometheus 3.
    #[default]
    Any,
    /// Every character except the line feed: Prometheus 2.
    AnyButNewline,
}

/// A compiled, fully anchored Go regular expression. Cloning is cheap.
#[derive(Clone)]
pub struct GoRegex(Arc<Inner>);

struct Inner {
    pattern: String,
    dot: Dot,
    /// Names of the capture groups; index 0 is the whole match and has none.
    group_names: Vec<Option<String>>,
    literals: Option<Vec<String>>,
    program: meta::Regex,
}

impl GoRegex {
    /// Compiles a pattern by the rules of Prometheus 3, where `.` matches every character.
    pub fn new(pattern: &str) -> Result<Self, GoRegexError> {
        Self::with_dot(pattern, Dot::Any)
    }

    /// Compiles a pattern, with a choice of what `.` matches.
    pub fn with_dot(pattern: &str, dot: Dot) -> Result<Self, GoRegexError> {
        let refuse = |kind| GoRegexError { kind, fragment: String::new(), position: 0 };
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(refuse(GoRegexErrorKind::TooLarge));
        }
        if let Some(known) = memo::find(pattern, dot) {
            return Ok(known);
        }
        let parsed = parser::parse(pattern, dot)?;
        let literals = literals_of(&parsed.hir);
        let anchored = Hir::concat(vec![Hir::look(Look::Start), parsed.hir, Hir::look(Look::End)]);
        let program = meta::Regex::builder()
            .configure(meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)))
            .build_from_hir(&anchored)
            .map_err(|_| refuse(GoRegexErrorKind::TooLarge))?;
        let inner =
            Inner { pattern: pattern.to_owned(), dot, group_names: parsed.group_names, literals, program };
        let regex = GoRegex(Arc::new(inner));
        memo::keep(&regex);
        Ok(regex)
    }

    /// The pattern `(.*)`, the default of relabelling.
    pub(crate) fn default_relabel() -> Self {
        static DEFAULT: OnceLock<GoRegex> = OnceLock::new();
        #[expect(clippy::expect_used, reason = "a constant pattern, compiled by every test")]
        DEFAULT.get_or_init(|| GoRegex::new("(.*)").expect("constant pattern")).clone()
    }

    /// The pattern as written, without the anchors.
    pub fn as_str(&self) -> &str {
        &self.0.pattern
    }

    /// What `.` matches.
    pub fn dot(&self) -> Dot {
        self.0.dot
    }

    /// Whether the whole text matches.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.0.literals {
            Some(literals) if literals.len() <= COMPARED_LITERALS_MAX => {
                literals.iter().any(|literal| literal == text)
            }
            _ => self.0.program.is_match(text),
        }
    }

    /// The texts the pattern stands for, sorted, where it is nothing but a choice of such texts (`a|b|c[12]`).
    ///
    /// Lets an index look values up instead of trying each one.
    pub fn literals(&self) -> Option<&[String]> {
        self.0.literals.as_deref()
    }

    /// How many capture groups the pattern has.
    pub fn group_count(&self) -> usize {
        self.0.group_names.len().saturating_sub(1)
    }

    /// The number of the first capture group with this name.
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.0.group_names.iter().position(|group| group.as_deref() == Some(name))
    }

    /// Matches the whole text and fills `template` from its capture groups by the rules of Go's `Expand`:
    /// `$1`, `${1}`, `$name`, `${name}`, and `$$` for a dollar sign. `None` where the text does not match.
    pub fn expand(&self, text: &str, template: &str) -> Option<String> {
        let groups = self.captures(text)?;
        Some(Template(template).fill(&self.0.group_names, text, &groups))
    }

    /// Names of the capture groups; the first is the whole match and has none.
    pub(crate) fn group_names(&self) -> &[Option<String>] {
        &self.0.group_names
    }

    /// The ranges of all groups, or `None` where the text does not match.
    pub(crate) fn captures(&self, text: &str) -> Option<Groups> {
        let mut captures = self.0.program.create_captures();
        self.0.program.captures(text, &mut captures);
        captures.is_match().then_some(Groups(captures))
    }
}

/// Where the groups of one match lie.
pub(crate) struct Groups(regex_automata::util::captures::Captures);

impl Groups {
    /// The text of a group; `None` where the group does not exist or took no part in the match.
    pub(crate) fn get<'t>(&self, text: &'t str, group: usize) -> Option<&'t str> {
        self.0.get_group(group).and_then(|span| text.get(span.range()))
    }
}

/// The finite list of texts that `hir` matches, if it is one.
fn literals_of(hir: &Hir) -> Option<Vec<String>> {
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_total(LITERALS_MAX).limit_class(32).limit_literal_len(1 << 16);
    let seq = extractor.extract(hir);
    if !seq.is_exact() {
        return None;
    }
    let mut texts = seq
        .literals()?
        .iter()
        .map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok())
        .collect::<Option<Vec<String>>>()?;
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

impl PartialEq for GoRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.pattern == other.0.pattern && self.0.dot == other.0.dot
    }
}

impl Eq for GoRegex {}

impl fmt::Debug for GoRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GoRegex").field(&self.0.pattern).finish()
    }
}

impl fmt::Display for GoRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.pattern)
    }
}

impl Serialize for GoRegex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GoRegex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        GoRegex::new(&pattern).map_err(serde::de::Error::custom)
    }
}
