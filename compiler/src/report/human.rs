//! The drawing for people: the line of the topology, what is wrong under it, and what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceSpan};

use super::shown::Shown;
use super::{Options, summary};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{FileId, SourceFile, Sources, Span};

pub(super) fn render(options: &Options, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let theme = if options.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(options.width.max(40)).with_links(false);
    let mut out = String::new();
    let mut texts = Texts::default();
    for diagnostic in diagnostics {
        let drawing = Drawing::new(diagnostic, sources, &mut texts);
        let mut text = String::new();
        // Writing into a String fails only if miette cannot read a label, and labels are clamped to their text.
        if handler.render_report(&mut text, &drawing).is_err() {
            text = super::short::render(std::slice::from_ref(diagnostic), sources);
        }
        for (number, line) in text.trim_matches('\n').lines().enumerate() {
            // The line below the code is empty.
            if number == 1 && line.is_empty() {
                continue;
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.push('\n');
    }
    if !diagnostics.is_empty() {
        out.push_str(&summary(diagnostics));
        out.push('\n');
    }
    out
}

/// Files as they are shown, prepared once each.
#[derive(Default)]
struct Texts(BTreeMap<FileId, Arc<Shown>>);

impl Texts {
    fn get(&mut self, id: FileId, file: &SourceFile) -> Arc<Shown> {
        Arc::clone(self.0.entry(id).or_insert_with(|| Arc::new(Shown::new(visible(&file.path), &file.text))))
    }
}

/// One finding in the shape that miette draws.
#[derive(Debug)]
struct Drawing {
    code: Option<&'static str>,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    source: Option<Arc<Shown>>,
    labels: Vec<LabeledSpan>,
    /// Places in other files: each is drawn with its own snippet.
    elsewhere: Vec<Drawing>,
}

impl Drawing {
    fn new(diagnostic: &Diagnostic, sources: &Sources, texts: &mut Texts) -> Drawing {
        let main = diagnostic.span.and_then(|span| Some((span, sources.get(span.file)?)));
        let mut labels = Vec::new();
        if let Some((span, file)) = main {
            let label = diagnostic.label.as_deref().unwrap_or("here");
            labels.push(LabeledSpan::new_primary_with_span(Some(visible(label)), range(file, span)));
        }
        let mut elsewhere = Vec::new();
        for (span, message) in &diagnostic.related {
            let Some(file) = sources.get(span.file) else { continue };
            if main.is_some_and(|(main, _)| main.file == span.file) {
                labels.push(LabeledSpan::new_with_span(Some(visible(message)), range(file, *span)));
            } else {
                elsewhere.push(Drawing {
                    code: None,
                    severity: miette::Severity::Advice,
                    message: visible(message),
                    help: None,
                    source: Some(texts.get(span.file, file)),
                    labels: vec![LabeledSpan::new_primary_with_span(None, range(file, *span))],
                    elsewhere: Vec::new(),
                });
            }
        }
        let mut message = visible(&diagnostic.message);
        if let Some(object) = &diagnostic.object {
            message.push_str("\nin ");
            message.push_str(&visible(object));
            if let Some(field) = diagnostic.field.as_deref().filter(|field| !field.is_empty()) {
                message.push(' ');
                message.push_str(&visible(field));
            }
        }
        Drawing {
            code: Some(diagnostic.code),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
                Severity::Info => miette::Severity::Advice,
            },
            message,
            help: diagnostic.help.as_deref().map(visible),
            source: main.map(|(span, file)| texts.get(span.file, file)),
            labels,
            elsewhere,
        }
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Drawing {}

impl miette::Diagnostic for Drawing {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let word = match self.severity {
            miette::Severity::Error => "error",
            miette::Severity::Warning => "warning",
            miette::Severity::Advice => "info",
        };
        self.code.map(|code| Box::new(format!("{word}[{code}]")) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source.as_ref() as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(self.elsewhere.iter().map(|drawing| drawing as &dyn miette::Diagnostic)))
    }
}

/// The span inside its text, cut at the end of its first line: a node with a hundred children is named by its head.
fn range(file: &SourceFile, span: Span) -> SourceSpan {
    let text = &file.text;
    let mut start = (span.start as usize).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = (span.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[start..end.max(start)];
    let length = head.find(['\n', '\r']).unwrap_or(head.len());
    (start, length).into()
}

/// Text without control characters, except line breaks.
fn visible(text: &str) -> String {
    text.split('\n').map(super::plain).collect::<Vec<_>>().join("\n")
}
