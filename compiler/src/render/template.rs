//! Fills YAML templates so that no value can change the structure around it.
//!
//! A hole `<< expression >>` stands for one whole YAML value. What a hole printed never reaches the YAML reader: the
//! rendered text is read with a placeholder in its place, and the value is put into the tree afterwards. So strings need
//! no quoting in templates, a list or an object fits where a scalar fits, and every value in the result is known to
//! come from one line of one template.

mod lint;
mod segments;
mod splice;
pub mod templates;

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, OutputSpan, OutputSpanKind, UndefinedBehavior};
use serde_json::Value;

use super::yaml;
pub use lint::lint;

/// What is wrong with a template or its use, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}:{line}: {message}")]
pub struct TemplateError {
    /// Name of the template.
    pub template: String,
    /// 1-based line of the template; 0 when the problem has no single place.
    pub line: usize,
    /// Bytes of the template's source that the problem is about.
    pub span: Option<Range<usize>>,
    /// The problem, as a fragment without a full stop.
    pub message: String,
}

/// Where a value of a rendered object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Index into [`Rendered::objects`].
    pub document: usize,
    /// JSON pointer of the value inside its object.
    pub pointer: String,
    /// The expression between `<<` and `>>`.
    pub expr: String,
    /// Name of the template that holds the expression; another one than asked for after an `include`.
    pub template: String,
    /// 1-based line of the expression.
    pub line: usize,
}

/// The objects that a template described, and the origin of each filled value.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The documents of the text, without empty ones and without null entries.
    pub objects: Vec<Value>,
    /// Filled values in the order of the tree.
    pub holes: Vec<Hole>,
}

/// All templates, compiled once.
#[derive(Debug)]
pub struct Engine {
    environment: Environment<'static>,
}

impl Engine {
    /// Compiles the shipped templates, with `overrides` (name to text) in place of those of the same name.
    ///
    /// Overrides are linted. A name that is not shipped is an error, except names that start with `_`: those are
    /// the user's own parts for `include`.
    pub fn new(overrides: BTreeMap<String, String>) -> Result<Engine, Vec<TemplateError>> {
        let mut environment = environment();
        let mut errors = Vec::new();
        for &(name, text) in templates::SHIPPED {
            if !overrides.contains_key(name)
                && let Err(error) = environment.add_template(name, text)
            {
                errors.push(from_minijinja(&error, name));
            }
        }
        for (name, text) in overrides {
            let shipped = || templates::SHIPPED.iter().map(|(shipped, _)| *shipped);
            if !name.starts_with('_') && !shipped().any(|shipped| shipped == name) {
                let near = shipped().min_by_key(|shipped| strsim::damerau_levenshtein(shipped, &name));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let message =
                    format!("no template of this name is used{near} (a part to include starts with `_`)");
                errors.push(TemplateError { template: name, line: 0, span: None, message });
                continue;
            }
            let found = lint(&name, &text);
            if found.is_empty() {
                if let Err(error) = environment.add_template_owned(name.clone(), text) {
                    errors.push(from_minijinja(&error, &name));
                }
            } else {
                errors.extend(found);
            }
        }
        if errors.is_empty() { Ok(Engine { environment }) } else { Err(errors) }
    }

    /// Fills a template with the values of `context`, an object.
    ///
    /// Null entries of mappings are left out, and so are null values that stand for an item of a list.
    pub fn render(&self, name: &str, context: &Value) -> Result<Rendered, TemplateError> {
        let template = self.environment.get_template(name).map_err(|error| from_minijinja(&error, name))?;
        let context = minijinja::value::Serde(context);
        let (output, spans) =
            template.render_with_spans(context).map_err(|error| from_minijinja(&error, name))?;
        let marked = self.mark(&output, spans)?;
        let documents = yaml::parse(&marked.text).map_err(|error| self.yaml_error(name, &marked, &error))?;
        splice::splice(documents, marked.values, |hole| self.origin(&marked.spans[marked.holes[hole]]))
    }

    /// Puts a placeholder in the place of everything that an expression printed.
    fn mark(&self, output: &str, spans: Vec<OutputSpan>) -> Result<Marked, TemplateError> {
        let mut marked = Marked {
            text: String::with_capacity(output.len()),
            starts: Vec::with_capacity(spans.len()),
            ..Marked::default()
        };
        for (index, span) in spans.iter().enumerate() {
            let printed = output.get(span.output_range()).unwrap_or_default();
            marked.starts.push(marked.text.len());
            if span.kind() == OutputSpanKind::Raw {
                marked.text.push_str(printed);
                continue;
            }
            let value = serde_json::from_str(printed).map_err(|_| {
                let message = format!("`{}` did not print one value", self.origin(span).expr);
                self.error_at(span, message)
            })?;
            splice::push_placeholder(&mut marked.text, marked.values.len());
            marked.values.push(value);
            marked.holes.push(index);
        }
        marked.spans = spans;
        Ok(marked)
    }

    fn origin(&self, span: &OutputSpan) -> splice::Origin {
        let source = self
            .environment
            .get_template(span.name())
            .map(|template| template.source().get(span.source_range()).unwrap_or_default().trim().to_owned());
        splice::Origin {
            expr: source.unwrap_or_default(),
            template: span.name().to_owned(),
            line: span.line(),
            span: span.source_range(),
        }
    }

    fn error_at(&self, span: &OutputSpan, message: String) -> TemplateError {
        TemplateError {
            template: span.name().to_owned(),
            line: span.line(),
            span: Some(span.source_range()),
            message,
        }
    }

    /// Finds the place in the template that wrote the broken place of the text.
    fn yaml_error(&self, name: &str, marked: &Marked, error: &yaml::YamlError) -> TemplateError {
        let message = format!("not YAML once rendered: {}", error.message);
        let offset = offset_of(&marked.text, error.line, error.column);
        let after = marked.starts.partition_point(|start| *start <= offset);
        let Some((span, start)) =
            after.checked_sub(1).and_then(|at| Some((marked.spans.get(at)?, marked.starts.get(at)?)))
        else {
            return TemplateError { template: name.to_owned(), line: 0, span: None, message };
        };
        let mut found = self.error_at(span, message);
        if span.kind() == OutputSpanKind::Raw
            && let Ok(template) = self.environment.get_template(span.name())
        {
            // Raw text is written as it stands in the source, so offsets carry over.
            let at = span.source_range().start + (offset - start);
            found.line = line_at(template.source(), at);
            found.span = Some(at..at);
        }
        found
    }
}

/// A rendered text with placeholders, and the way back to the template.
#[derive(Default)]
struct Marked {
    text: String,
    /// What wrote each part of the text, in order, and where in `text` that part starts.
    spans: Vec<OutputSpan>,
    starts: Vec<usize>,
    /// The value of each placeholder, and the index of the span that printed it.
    values: Vec<Value>,
    holes: Vec<usize>,
}

/// The one configuration of the template language.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("<<", ">>")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    // Strictness ends at the value itself; without this, `[x.typo]` would print `[null]`.
    environment.set_formatter(|out, state, value| {
        if holds_undefined(value) {
            return Err(minijinja::Error::new(ErrorKind::UndefinedError, "a part of the value is undefined"));
        }
        minijinja::escape_formatter(out, state, value)
    });
    // Release builds carry byte ranges in errors only in debug mode.
    environment.set_debug(true);
    environment
}

fn holds_undefined(value: &minijinja::Value) -> bool {
    let is_or_holds = |part: &minijinja::Value| part.is_undefined() || holds_undefined(part);
    match value.kind() {
        ValueKind::Seq => value.try_iter().is_ok_and(|mut items| items.any(|item| is_or_holds(&item))),
        ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
            keys.any(|key| value.get_item(&key).is_ok_and(|entry| is_or_holds(&entry)))
        }),
        _ => false,
    }
}

fn from_minijinja(error: &minijinja::Error, template: &str) -> TemplateError {
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::TemplateNotFound, _) => "there is no template of this name".to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    TemplateError {
        template: error.name().unwrap_or(template).to_owned(),
        line: error.line().unwrap_or(0),
        span: error.range(),
        message,
    }
}

fn line_at(source: &str, offset: usize) -> usize {
    1 + source.bytes().take(offset).filter(|b| *b == b'\n').count()
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}
