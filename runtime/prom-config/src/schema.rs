//! The structure of Prometheus' files as data: which fields there are, of what type, since and until which release.
//!
//! The first release is never older than 2.37.0; a field that is marked with it may be older.

pub(crate) mod alerting;
pub(crate) mod global;
pub(crate) mod http;
pub(crate) mod relabel;
pub(crate) mod remote;
pub(crate) mod root;
pub(crate) mod rules;
pub(crate) mod scrape;
pub(crate) mod sd;
pub(crate) mod storage;
pub(crate) mod unit_test;

use crate::checker::Checker;
use crate::record::Record;
use crate::{FileUse, Version};

/// What a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Anything at all.
    Any,
    /// Any scalar; a number is a text too.
    Text,
    /// A text; before 3.3 anything, looked at later.
    Node,
    /// A text that names a file.
    File(FileUse),
    Bool,
    Int,
    Uint,
    Float,
    /// A Prometheus duration.
    Duration,
    /// A URL as Go reads it.
    Url,
    /// A relabelling expression.
    Regex,
    /// A number of bytes with a unit.
    Bytes,
    /// A label name by the rules of the release.
    LabelName,
    /// One of some words; the empty text is none of them unless it is listed.
    Enum(&'static [Word]),
    /// Like `Enum`, in any case.
    EnumAnyCase(&'static [Word]),
    Struct(&'static Struct),
    List(&'static Shape),
    /// A list of structures, none of which may be null; the text says what an entry is.
    Entries(&'static Struct, &'static str),
    /// Keys of the one shape, values of the other.
    Map(&'static Shape, &'static Shape),
}

/// A list of texts.
pub(crate) const TEXTS: Shape = Shape::List(&Shape::Text);
/// A mapping from texts to texts.
pub(crate) const TEXT_MAP: Shape = Shape::Map(&Shape::Text, &Shape::Text);
/// Credentials for Google's cloud.
pub(crate) const FILE_OF_GOOGLE: Shape = Shape::File(FileUse::Credentials);

/// Checks between the fields of a structure.
pub(crate) type Check = for<'c, 't> fn(&'c mut Checker<'t>, &'c Record);

/// A structure.
pub(crate) struct Struct {
    pub(crate) fields: &'static [Field],
    /// Structures whose fields stand directly in this one, with the release since which they do.
    pub(crate) inline: &'static [(&'static Struct, Version)],
    pub(crate) check: Option<Check>,
}

/// A field of a structure.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) since: Version,
    /// The last release that has it.
    pub(crate) until: Option<Version>,
}

/// A word that an enumeration allows.
pub(crate) struct Word {
    pub(crate) text: &'static str,
    pub(crate) since: Version,
    pub(crate) until: Option<Version>,
}

/// A field that every release has.
pub(crate) const fn f(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, since: Version::OLDEST, until: None }
}

/// A word that every release has.
pub(crate) const fn w(text: &'static str) -> Word {
    Word { text, since: Version::OLDEST, until: None }
}

/// A release.
pub(crate) const fn v(major: u16, minor: u16, patch: u16) -> Version {
    Version::new(major, minor, patch)
}

impl Field {
    /// The same field, new in a release.
    pub(crate) const fn since(self, major: u16, minor: u16, patch: u16) -> Field {
        Field { since: v(major, minor, patch), ..self }
    }

    /// The same field, gone after a release.
    pub(crate) const fn until(self, major: u16, minor: u16, patch: u16) -> Field {
        Field { until: Some(v(major, minor, patch)), ..self }
    }
}

impl Word {
    /// The same word, new in a release.
    pub(crate) const fn since(self, major: u16, minor: u16, patch: u16) -> Word {
        Word { since: v(major, minor, patch), ..self }
    }

    /// The same word, gone after a release.
    pub(crate) const fn until(self, major: u16, minor: u16, patch: u16) -> Word {
        Word { until: Some(v(major, minor, patch)), ..self }
    }
}

impl Struct {
    /// A field with the first release that has it here.
    pub(crate) fn find(&self, name: &str) -> Option<(&'static Field, Version)> {
        if let Some(field) = self.fields.iter().find(|field| field.name == name) {
            return Some((field, field.since));
        }
        self.inline
            .iter()
            .find_map(|(inner, since)| inner.find(name).map(|(field, own)| (field, own.max(*since))))
    }

    /// All fields, those that stand in it by way of others too.
    pub(crate) fn all_fields(&self) -> Vec<(&'static Field, Version)> {
        let mut all: Vec<_> = self.fields.iter().map(|field| (field, field.since)).collect();
        for (inner, since) in self.inline {
            all.extend(inner.all_fields().into_iter().map(|(field, own)| (field, own.max(*since))));
        }
        all
    }
}

/// Every field with its path in the file, the first and, where it is gone again, the last release that has it.
///
/// Paths leave out positions in lists; `PATH=WORD` is one value of an enumeration. Fields of rule files begin with
/// `groups`.
pub fn known_fields() -> Vec<(String, Version, Option<Version>)> {
    let mut all = Vec::new();
    walk(&root::ROOT, "", Version::OLDEST, &mut all);
    walk(&rules::FILE, "", Version::OLDEST, &mut all);
    all
}

fn walk(of: &Struct, prefix: &str, since: Version, all: &mut Vec<(String, Version, Option<Version>)>) {
    for (field, own) in of.all_fields() {
        let path = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        let since = own.max(since);
        all.push((path.clone(), since, field.until));
        walk_shape(&field.shape, &path, since, all);
    }
}

fn walk_shape(shape: &Shape, path: &str, since: Version, all: &mut Vec<(String, Version, Option<Version>)>) {
    match shape {
        Shape::Struct(inner) | Shape::Entries(inner, _) => walk(inner, path, since, all),
        Shape::List(inner) => walk_shape(inner, path, since, all),
        Shape::Map(_, value) => walk_shape(value, path, since, all),
        Shape::Enum(words) | Shape::EnumAnyCase(words) => {
            let words =
                words.iter().map(|word| (format!("{path}={}", word.text), word.since.max(since), word.until));
            all.extend(words);
        }
        _ => {}
    }
}
