//! Single values.

use prom_model::{Dot, GoRegex, NameScheme, PromDuration};

use super::Checker;
use super::structure::clip;
use crate::schema::{Shape, Word, v};
use crate::tree::{Content, Dialect, NodeId, Resolved, old_bool, resolve};
use crate::{FileReference, Kind, byte_size, go_url};

impl<'t> Checker<'t> {
    pub(super) fn decode_scalar(&mut self, id: NodeId, shape: &'static Shape) {
        let node = self.tree.node(id);
        let Some(resolved) = resolve(node, self.dialect) else {
            return self.wrong_type(id, expected(shape));
        };
        if resolved == Resolved::Misfit {
            let text = self.raw_text(id);
            return self.problem_at(
                id,
                Kind::Type,
                format!("`{}` does not fit its tag `{}`", clip(text), clip(&node.tag)),
            );
        }
        let text = self.scalar_text(id);
        match shape {
            Shape::File(used_for) if !text.is_empty() && !self.quiet => {
                let field = self.path();
                self.files.push(FileReference { field, name: text.to_owned(), used_for: *used_for });
            }
            Shape::Bool => {
                let word = self.dialect == Dialect::V3 && old_bool(text).is_some();
                if !matches!(resolved, Resolved::Bool(_) | Resolved::Null) && !word {
                    self.wrong_type(id, "true or false");
                }
            }
            Shape::Int => {
                let good = match resolved {
                    Resolved::Null | Resolved::Int(_) => true,
                    Resolved::Uint(_) => false,
                    Resolved::Float(value) => value <= i64::MAX as f64,
                    _ => false,
                };
                if !good {
                    self.wrong_type(id, "a whole number");
                }
            }
            Shape::Uint => {
                let good = match resolved {
                    Resolved::Null | Resolved::Uint(_) => true,
                    Resolved::Int(value) => value >= 0,
                    Resolved::Float(value) => value <= u64::MAX as f64,
                    _ => false,
                };
                if !good {
                    self.wrong_type(id, "a whole number from 0");
                }
            }
            Shape::Float
                if !matches!(
                    resolved,
                    Resolved::Null | Resolved::Int(_) | Resolved::Uint(_) | Resolved::Float(_)
                ) =>
            {
                self.wrong_type(id, "a number");
            }
            Shape::Duration => {
                if let Err(error) = text.parse::<PromDuration>() {
                    self.problem_at(
                        id,
                        Kind::Value,
                        format!("{error}: write a number with a unit, such as `30s`"),
                    );
                }
            }
            Shape::Url => {
                if let Err(error) = go_url::parse(text) {
                    self.problem_at(id, Kind::Value, format!("{:?} is no URL: {error}", clip(text)));
                }
            }
            Shape::Regex => self.check_regex(id, text),
            Shape::Bytes => {
                let good = resolved == Resolved::Null || byte_size::parse(text).is_some();
                if !good {
                    let message = format!("{:?} is no number of bytes: write it as `10MB`", clip(text));
                    self.problem_at(id, Kind::Value, message);
                }
            }
            Shape::LabelName => self.check_label_name(id, text),
            Shape::Enum(words) => self.check_word(id, text, words, text),
            Shape::EnumAnyCase(words) => self.check_word(id, &text.to_lowercase(), words, text),
            _ => {}
        }
    }

    /// The rules for names in the release.
    pub(crate) fn scheme(&self) -> NameScheme {
        if self.options.before(v(3, 0, 0)) { NameScheme::Legacy } else { NameScheme::Utf8 }
    }

    /// Whether a feature flag lets the release take any text as a name.
    pub(crate) fn may_have_utf8_names(&self) -> bool {
        self.options.at_least(v(2, 54, 0)) && self.options.before(v(3, 0, 0))
    }

    pub(crate) fn check_label_name(&mut self, id: NodeId, text: &str) {
        if self.scheme().is_valid_label_name(text) {
            return;
        }
        let message = if text.is_empty() {
            "a label name is empty: name the label".to_owned()
        } else {
            let shown = clip(text);
            format!("{shown:?} is no label name: letters, digits and `_` make one, the first no digit")
        };
        if !text.is_empty() && self.may_have_utf8_names() {
            self.doubt_at(id, Kind::Value, message);
        } else {
            self.problem_at(id, Kind::Value, message);
        }
    }

    fn check_regex(&mut self, id: NodeId, text: &str) {
        let dot = if self.options.before(v(3, 0, 0)) { Dot::AnyButNewline } else { Dot::Any };
        match GoRegex::with_dot(text, dot) {
            Ok(_) => {}
            Err(error) if error.kind == prom_model::GoRegexErrorKind::TooLarge => {
                self.doubt_at(
                    id,
                    Kind::Value,
                    format!("the expression is larger than can be checked: {error}"),
                );
            }
            Err(error) => {
                self.problem_at(id, Kind::Value, format!("the expression does not compile: {error}"))
            }
        }
    }

    fn check_word(&mut self, id: NodeId, text: &str, words: &[Word], written: &str) {
        let word = words.iter().find(|word| word.text == text);
        let fits = word.is_some_and(|word| {
            let gone = word.until.is_some_and(|until| self.options.version.is_some_and(|own| own > until));
            !self.options.before(word.since) && !gone
        });
        if fits {
            return;
        }
        let names: Vec<String> = words.iter().map(|word| format!("`{}`", word.text)).collect();
        let names = names.join(", ");
        let message = match word {
            Some(word) if self.options.before(word.since) => {
                format!("{:?} is known since Prometheus {}", clip(written), word.since)
            }
            _ => format!("{:?} is none of {names}", clip(written)),
        };
        let mark = self.tree.node(id).mark;
        self.push(mark, Kind::Value, message, self.options.is_known() || text.is_empty());
    }

    /// Records that a node is of another type than it must be.
    pub(crate) fn wrong_type(&mut self, id: NodeId, expected: &str) {
        let found = match &self.tree.node(id).content {
            Content::Mapping(_) => "a mapping".to_owned(),
            Content::Sequence(_) => "a list".to_owned(),
            Content::Alias { name, .. } => format!("the alias `*{}`", clip(name)),
            Content::Scalar { text, .. } if text.is_empty() => "an empty text".to_owned(),
            Content::Scalar { text, .. } => format!("`{}`", clip(text)),
        };
        self.problem_at(id, Kind::Type, format!("this is {found}: write {expected}"));
    }

    /// Whether this is a word for null that reaches the type.
    pub(super) fn is_other_null(&self, id: NodeId) -> bool {
        resolve(self.tree.node(id), self.dialect) == Some(Resolved::Null)
    }

    /// The text of a scalar as it is written, null words too.
    pub(crate) fn raw_text(&self, id: NodeId) -> &'t str {
        let tree = self.tree;
        match &tree.node(id).content {
            Content::Scalar { text, .. } => text.as_ref(),
            _ => "",
        }
    }
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "true or false",
        Shape::Int | Shape::Uint | Shape::Float => "a number",
        Shape::Duration => "a duration, such as `30s`",
        Shape::Url => "a URL",
        Shape::Regex => "an expression",
        _ => "a text",
    }
}
