//! What the compiler has to say about a topology: values with a code, a place and a way out, never prints.

use crate::source::Span;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; never fails a run.
    Info,
    /// A risk; fails a run under `--deny warn`.
    Warning,
    /// Breaks or loses data; nothing is rendered.
    Error,
}

impl Severity {
    /// The lower-case word that every output format prints.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code from the catalogue, such as `IDN002`; `pronoia explain CODE` tells more.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Where in the topology; `None` when the finding is about the whole input.
    pub span: Option<Span>,
    /// One sentence fragment that names the thing.
    pub message: String,
    /// What the primary span is called in the drawing.
    pub label: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
    /// The rendered object it is about, `Kind/name`.
    pub object: Option<String>,
    /// The field of that object.
    pub field: Option<String>,
}

impl Diagnostic {
    fn new(
        code: &'static str,
        severity: Severity,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
    ) -> Self {
        Diagnostic {
            code,
            severity,
            span: span.into(),
            message: message.into(),
            label: None,
            related: Vec::new(),
            help: None,
            object: None,
            field: None,
        }
    }

    /// An error at a place.
    pub fn error(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message)
    }

    /// A remark at a place.
    pub fn info(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Info, span, message)
    }

    /// Names the primary span.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says what to do, if there is something to say.
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }

    /// Points at another place.
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }

    /// Names the rendered object and field.
    pub fn object(mut self, object: impl Into<String>, field: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self.field = Some(field.into());
        self
    }
}

/// Sorts findings by place, then code, and drops exact repetitions, so that output is stable.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        (a.span, a.code, &a.message, &a.object).cmp(&(b.span, b.code, &b.message, &b.object))
    });
    diagnostics.dedup();
}

/// Whether any finding is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// The candidate nearest to what was written, when it is near enough to be what was meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
        let near = distance <= (written.chars().count().max(3) / 3).max(1)
            || (written.len() >= 3 && candidate.replace(['-', '_'], "") == lower.replace(['-', '_'], ""));
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `did you mean …` for the nearest candidate, or the list of what is possible when nothing is near.
pub fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(candidate) = nearest(written, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { None } else { Some(format!("possible here: {}", all.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_accepts_typos_and_refuses_strangers() {
        assert_eq!(nearest("replcas", ["replicas", "retention"]), Some("replicas"));
        assert_eq!(nearest("indexCache", ["index-cache"]), Some("index-cache"));
        assert_eq!(nearest("banana", ["replicas", "retention"]), None);
    }
}
