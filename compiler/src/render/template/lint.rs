//! Refuses templates whose holes cannot stand for one whole YAML value, before anything is rendered.
//!
//! Rendering finds the same mistakes in the lines that it reaches; the lint also reads branches that it does not.

mod position;

use std::ops::Range;

use minijinja::{Environment, context};

use super::segments::{Segment, segments};
use super::splice::{CLOSE, OPEN};
use super::{TemplateError, environment, from_minijinja, line_at};

/// Tells everything that is wrong with a template's text.
pub fn lint(name: &str, text: &str) -> Vec<TemplateError> {
    let mut environment = environment();
    if let Err(error) = environment.add_template_owned(name.to_owned(), text.to_owned()) {
        return vec![from_minijinja(&error, name)];
    }
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    for (at, c) in text.match_indices([OPEN, CLOSE]) {
        let code = c.escape_unicode();
        found.push((at..at + c.len(), format!("the character {code} is reserved for the renderer")));
    }
    let segments = segments(text);
    for segment in &segments {
        if let Segment::Hole(range) | Segment::Statement(range) = segment {
            unknown_names(&environment, text, range, &mut found);
        }
    }
    for (range, problem) in position::misplaced_holes(text, &segments) {
        let hole = text.get(range.clone()).unwrap_or_default().trim();
        found.push((range, format!("`<< {hole} >>` {problem}")));
    }
    found.sort_by_key(|(range, _)| range.start);
    let error = |(span, message): (Range<usize>, String)| TemplateError {
        template: name.to_owned(),
        line: line_at(text, span.start),
        span: Some(span),
        message,
    };
    found.into_iter().map(error).collect()
}

/// Finds filters (`x | name`) and tests (`x is name`) that the language does not have.
fn unknown_names(
    environment: &Environment<'_>,
    text: &str,
    range: &Range<usize>,
    found: &mut Vec<(Range<usize>, String)>,
) {
    let mut previous = "";
    for (at, token) in tokens(text, range) {
        let kind = match previous {
            "|" => "filter",
            "is" | "is not" => "test",
            _ => "",
        };
        let word = token.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if previous == "is" && token == "not" {
            previous = "is not";
            continue;
        }
        if !kind.is_empty() && word && !knows(environment, kind, token) {
            found.push((at..at + token.len(), format!("unknown {kind} `{token}`")));
        }
        previous = token;
    }
}

fn knows(environment: &Environment<'_>, kind: &str, name: &str) -> bool {
    let question = if kind == "filter" { "name is filter" } else { "name is test" };
    let answer = environment.compile_expression(question).and_then(|asked| asked.eval(context!(name)));
    answer.is_ok_and(|answer| answer.is_true())
}

/// The words and signs of an expression with their offsets; string literals come out as one quote sign.
fn tokens<'a>(text: &'a str, range: &Range<usize>) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some(c) = text.get(at..range.end).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..range.end).unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let len = if c == '"' || c == '\'' {
            string_len(rest, c)
        } else if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() {
            let end = if c == '"' || c == '\'' { at + 1 } else { at + len };
            found.push((at, text.get(at..end).unwrap_or_default()));
        }
        at += len;
    }
    found
}

fn string_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
