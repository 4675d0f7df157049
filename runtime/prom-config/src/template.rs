//! The templates in labels and annotations, in the language of Go's `text/template`.

mod ast;
mod functions;
mod lexer;
mod literal;
mod parser;

pub use ast::{Command, Control, ControlKind, Invoke, Node, Number, Operand, Pipeline, Template, Term};

use std::fmt;

use crate::Options;

/// The variables that every template of an alert knows.
const VARIABLES: &[&str] = &["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem(String);

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateProblem {}

/// Reads a template that knows no variable but `$`, with the functions of the newest release.
pub fn parse(text: &str) -> Result<Template, TemplateProblem> {
    let tokens = lexer::lex(text).map_err(TemplateProblem)?;
    parser::parse(&tokens, &["$"], &Options::default()).map_err(TemplateProblem)
}

/// Why the template of a label or an annotation does not parse; `None` if it does, or may.
pub(crate) fn problem(text: &str, options: &Options) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    match lexer::lex(text) {
        Ok(tokens) => parser::parse(&tokens, VARIABLES, options).err(),
        // Tokens before the mistake may be wrong too; one reason is enough.
        Err(error) => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::problem;
    use crate::{Options, Version};

    fn check(text: &str) -> Option<String> {
        problem(text, &Options { version: Some(Version::new(2, 42, 0)), ..Options::default() })
    }

    #[test]
    fn templates_that_parse() {
        for good in [
            "no template }} { {",
            "{{ $labels.job }} is {{ $value | humanize }}",
            "{{- /* a comment */ -}} x {{- .Value -}}",
            "{{ if gt $value 1.5 }}a{{ else if eq 1 2 }}b{{ else }}c{{ end }}",
            "{{ range $i, $x := query \"up\" }}{{ $x.Labels.job }}{{ break }}{{ end }}",
            "{{ with $x := 5 }}{{ $x }}{{ end }}{{ printf `%q` 'a' | len }}",
            "{{ (index $labels \"a\").b }} {{ $x := 1 }}{{ $x = 0x1F }} {{ nil | print 1e3 true }}",
            "{{ define \"t\" }}{{ . }}{{ end }}{{ template \"t\" .Value }}{{ block \"b\" . }}{{ end }}",
            "{{\n$value\n}}",
            "{{ $ }}{{ . }}{{ $externalURL }}{{ .ExternalLabels.a }}",
        ] {
            assert_eq!(check(good), None, "{good}");
        }
    }

    #[test]
    fn templates_that_do_not() {
        for bad in [
            "{{",
            "{{ }}",
            "{{ foo }}",
            "{{ $label.x }}",
            "{{ .x",
            "{{ \"x }}",
            "{{ end }}",
            "{{ if .x }}",
            "{{ if }}a{{ end }}",
            "{{ else }}",
            "{{ $value humanize",
            "{{ $value | 5 }}",
            "{{ ( .x }}",
            "{{ .x ) }}",
            "{{ $v% }}",
            "{{ 1x }}",
            "{{ template 5 }}",
            "{{ range .x }}{{ else if .y }}{{ end }}{{ end }}",
            "{{ break }}",
            "{{ a.b }}",
            "{{ true.x }}",
            "{{ $x, $y := 5 }}",
            "{{/* no end }}",
            "{{ toDuration 5 }}",
            "{{ 'ab' }}",
            "{{ |x }}",
        ] {
            assert!(check(bad).is_some(), "{bad}");
        }
    }
}
