//! `ls -o TEMPLATE`: the part of Go's `text/template` that lists of blocks need.
//!
//! Fields (`{{.ULID}}`, `{{.Thanos.Labels.cluster}}`), literals, `index len printf eq ne lt le gt ge and or not`, pipelines of
//! these, `if/else`, `range`, `with`, comments and trimmed space (`{{-`, `-}}`). Everything else is refused with its name,
//! before the bucket is asked. No template engine of another language reads this syntax.

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use serde_json::Value as Json;

use parse::Node;

/// Why a template is refused, or fails on a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// `{{` without `}}`.
    #[error("`{{{{` at byte {0} has no `}}}}`")]
    Unclosed(usize),
    /// What stands there has no meaning here.
    #[error("`{{{{{0}}}}}`: {1}")]
    Syntax(String, String),
    /// `if`, `range` or `with` without an `end`.
    #[error("`{{{{{0}}}}}` has no `{{{{end}}}}`")]
    Open(String),
    /// Deeper than any list needs.
    #[error("more than {0} levels of `if`, `range` and `with`")]
    Deep(usize),
    /// No such field.
    #[error("a block has no field `{field}`; there is {known}")]
    Field {
        /// What was asked for.
        field: String,
        /// What could be.
        known: String,
    },
    /// A function that does not fit its arguments.
    #[error("{0}: {1}")]
    Call(String, String),
}

/// A template that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Node>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is no template, or uses what is not there.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Template(parse::parse(text)?);
        // A wrong field is wrong for every block, so it is told before the bucket is asked.
        template.render(&Json::Null)?;
        Ok(template)
    }

    /// The text for one block, given its meta.json.
    ///
    /// # Errors
    /// When a function does not fit its arguments.
    pub(crate) fn render(&self, meta: &Json) -> Result<String, TemplateError> {
        evaluate::render(&self.0, &value::of_meta(meta))
    }
}
