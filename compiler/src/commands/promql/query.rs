//! Where a query comes from, and how to say what is wrong with it.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use compiler::source::FILE_SIZE_BYTES_MAX;
use promql_syntax::{Expr, ParseError, Span, parse};

use crate::commands::console::Console;
use crate::commands::disk::read_limited;

/// A query and where it was found.
#[derive(Debug)]
pub(super) struct Query {
    /// The file, if it is one.
    pub(super) file: Option<String>,
    /// What messages call it.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
}

impl Query {
    /// Reads what an argument names: `-` is stdin, the path of a file is that file, everything else is a query.
    pub(super) fn read(argument: &str) -> anyhow::Result<Query> {
        let (file, name, bytes) = if argument == "-" {
            (None, "stdin".to_string(), stdin()?)
        } else if Path::new(argument).is_file() {
            let bytes = read_limited(Path::new(argument), FILE_SIZE_BYTES_MAX)
                .with_context(|| format!("`{argument}`"))?;
            (Some(argument.to_string()), argument.to_string(), bytes)
        } else {
            (None, "query".to_string(), argument.as_bytes().to_vec())
        };
        let text = String::from_utf8(bytes).with_context(|| format!("`{name}`"))?;
        Ok(Query { file, name, text })
    }

    /// The tree; what is wrong with the query is said, and then there is none.
    pub(super) fn tree(&self, console: &Console) -> Option<Expr> {
        let (tree, errors) = parse(&self.text);
        for ParseError { span, message } in &errors {
            self.complain(console, *span, message);
        }
        tree.filter(|_| errors.is_empty())
    }

    /// Says what is wrong with a part of the query, and shows it.
    pub(super) fn complain(&self, console: &Console, span: Span, message: &str) {
        let place = span.line_column(&self.text);
        console.error(&format!("{}:{place}: {message}\n{}", self.name, self.excerpt(span)));
    }

    /// The line where the part begins, with the part marked.
    fn excerpt(&self, span: Span) -> String {
        let start = self.text.get(..span.start).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let width = |text: &str| text.chars().count();
        let before = width(self.text.get(start..span.start).unwrap_or(""));
        let marked =
            self.text.get(span.start..span.end).and_then(|part| part.lines().next()).map_or(0, width);
        // Tabs stay, so that the marks stand below what they mark.
        let blanks: String = line.chars().take(before).map(|c| if c == '\t' { c } else { ' ' }).collect();
        format!("  {line}\n  {blanks}{}", "^".repeat(marked.max(1)))
    }
}

fn stdin() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(FILE_SIZE_BYTES_MAX + 1).read_to_end(&mut bytes).context("stdin")?;
    if bytes.len() as u64 > FILE_SIZE_BYTES_MAX {
        return Err(anyhow!("stdin: more than {FILE_SIZE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
