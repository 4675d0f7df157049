//! Rule files in Prometheus' own form, and where in them something is wrong.

use std::ops::Range;

use prom_model::{NameScheme, PromDuration};

use super::{Delay, Library, Pair, Rule, RuleGroup};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::render::yaml::{Located, Tree, YamlError, parse_located};
use crate::source::{FileId, Span};
use crate::topology::nodes::alerting::PartialResponse;

/// Reads the groups of a file; every problem is reported, and what can be read is returned.
pub fn read(
    library: &mut Library,
    file: FileId,
    source: &str,
    text: &str,
    found: &mut Vec<Diagnostic>,
) -> Vec<RuleGroup> {
    let document = match parse_located(text) {
        Ok(Some(document)) => document,
        Ok(None) => {
            found.push(
                Diagnostic::warning("RUL001", Span::new(file, 0, 0), format!("`{source}` is empty"))
                    .help("remove it, or write `groups:`"),
            );
            return Vec::new();
        }
        Err(error) => {
            found.push(yaml_problem(file, text, &error));
            return Vec::new();
        }
    };
    let mut reader = Reader { library, file, source, found };
    reader.file(&document)
}

/// The finding for a text that is no YAML.
pub fn yaml_problem(file: FileId, text: &str, error: &YamlError) -> Diagnostic {
    let line = text.split_inclusive('\n').nth(error.line.saturating_sub(1)).unwrap_or("");
    let before: usize = text.split_inclusive('\n').take(error.line.saturating_sub(1)).map(str::len).sum();
    let column = line.char_indices().nth(error.column.saturating_sub(1)).map_or(0, |(at, _)| at);
    let end = before + line.trim_end().len().max(column);
    Diagnostic::error("RUL001", Span::new(file, before + column, end), error.message.clone())
        .help("this is not valid YAML")
}

struct Reader<'a, 'w> {
    library: &'a mut Library<'w>,
    file: FileId,
    source: &'a str,
    found: &'a mut Vec<Diagnostic>,
}

type Entries = [(String, Range<usize>, Located)];

impl Reader<'_, '_> {
    fn span(&self, at: &Range<usize>) -> Span {
        Span::new(self.file, at.start, at.end)
    }

    fn wrong(&mut self, at: &Range<usize>, message: impl Into<String>) {
        self.found.push(Diagnostic::error("RUL001", self.span(at), message));
    }

    fn file(&mut self, document: &Located) -> Vec<RuleGroup> {
        let Some(entries) = self.map(document, "a rule file") else { return Vec::new() };
        let mut groups: Vec<RuleGroup> = Vec::new();
        for (key, at, value) in entries {
            match key.as_str() {
                "groups" => {
                    for item in self.list(value, "groups") {
                        let Some(group) = self.group(item) else { continue };
                        if let Some(first) = groups.iter().find(|other| other.name == group.name) {
                            let mut finding = Diagnostic::error(
                                "RUL001",
                                group.span,
                                format!("a second group `{}` in one file", group.name),
                            )
                            .help("Prometheus refuses the file: rename one of them");
                            if let Some(span) = first.span {
                                finding = finding.related(span, "the first one");
                            }
                            self.found.push(finding);
                            continue;
                        }
                        groups.push(group);
                    }
                }
                _ => self.unknown(key, at, "a rule file", &["groups"]),
            }
        }
        groups
    }

    fn group(&mut self, item: &Located) -> Option<RuleGroup> {
        let entries = self.map(item, "a group")?;
        let mut group = RuleGroup {
            source: self.source.to_string(),
            name: String::new(),
            span: None,
            interval: None,
            limit: None,
            query_offset: None,
            partial_response: None,
            labels: Vec::new(),
            rules: Vec::new(),
            text: "".into(),
        };
        for (key, at, value) in entries {
            match key.as_str() {
                "name" => {
                    group.name = self.text(value, "name")?;
                    group.span = Some(self.span(&value.at));
                }
                "interval" => group.interval = self.delay(value, "interval").map(|delay| delay.value),
                "query_offset" => {
                    group.query_offset = self.delay(value, "query_offset").map(|delay| delay.value)
                }
                "limit" => match self.text(value, "limit").map(|text| text.parse()) {
                    Some(Ok(limit)) => group.limit = Some(limit),
                    Some(Err(_)) => self.wrong(&value.at, "`limit` is a whole number"),
                    None => {}
                },
                "partial_response_strategy" => match self.text(value, key)?.to_ascii_lowercase().as_str() {
                    "warn" => group.partial_response = Some(PartialResponse::Warn),
                    "abort" => group.partial_response = Some(PartialResponse::Abort),
                    _ => self.wrong(&value.at, "`partial_response_strategy` is `warn` or `abort`"),
                },
                "labels" => group.labels = self.pairs(value, "labels"),
                "rules" => {
                    let rules = self.list(value, "rules");
                    group.rules = rules.iter().filter_map(|rule| self.rule(rule)).collect();
                }
                _ => {
                    let known = [
                        "name",
                        "interval",
                        "query_offset",
                        "limit",
                        "labels",
                        "rules",
                        "partial_response_strategy",
                    ];
                    self.unknown(key, at, "a group", &known);
                }
            }
        }
        if group.name.is_empty() {
            self.wrong(&item.at, "a group has no name");
            return None;
        }
        Some(group)
    }

    fn rule(&mut self, item: &Located) -> Option<Rule> {
        let entries = self.map(item, "a rule")?;
        let (mut alert, mut record, mut expr) = (None, None, None);
        let (mut wait, mut keep, mut labels, mut annotations) = (None, None, Vec::new(), Vec::new());
        for (key, at, value) in entries {
            match key.as_str() {
                "alert" => alert = self.text(value, key).map(|text| (text, self.span(&value.at))),
                "record" => record = self.text(value, key).map(|text| (text, self.span(&value.at))),
                "expr" => expr = self.text(value, key).map(|text| (text, self.span(&value.at))),
                "for" => wait = self.delay(value, key).map(|delay| (delay, at)),
                "keep_firing_for" => keep = self.delay(value, key).map(|delay| (delay, at)),
                "labels" => labels = self.pairs(value, key),
                "annotations" => {
                    annotations = self.pairs(value, key);
                    if record.is_some() {
                        self.wrong(at, "a recording rule has no annotations");
                    }
                }
                _ => {
                    let known =
                        ["alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"];
                    self.unknown(key, at, "a rule", &known);
                }
            }
        }
        let (is_alert, (name, span)) = match (alert, record) {
            (Some(alert), None) => (true, alert),
            (None, Some(record)) => (false, record),
            (Some(_), Some((_, span))) => {
                self.found.push(Diagnostic::error(
                    "RUL001",
                    span,
                    "a rule is an alert or a record, not both",
                ));
                return None;
            }
            (None, None) => {
                self.wrong(&item.at, "a rule has neither `alert` nor `record`");
                return None;
            }
        };
        let Some((text, expr_span)) = expr else {
            self.found.push(Diagnostic::error("RUL001", span, format!("`{name}` has no `expr`")));
            return None;
        };
        if !is_alert {
            for (_, at) in [&wait, &keep].into_iter().flatten() {
                self.wrong(at, "a recording rule waits for nothing: only alerts have this");
            }
            (wait, keep) = (None, None);
        }
        let rule = Rule {
            alert: is_alert,
            expr: self.library.expression(&text),
            name,
            span: Some(span),
            expr_span: Some(expr_span),
            wait: wait.map(|(delay, _)| delay),
            keep_firing_for: keep.map(|(delay, _)| delay),
            labels,
            annotations,
        };
        check(self.library, &rule, self.found);
        Some(rule)
    }

    fn map<'t>(&mut self, value: &'t Located, what: &str) -> Option<&'t Entries> {
        match &value.tree {
            Tree::Map(entries) => Some(entries),
            _ => {
                self.wrong(&value.at, format!("{what} is a map"));
                None
            }
        }
    }

    fn list<'t>(&mut self, value: &'t Located, what: &str) -> &'t [Located] {
        match &value.tree {
            Tree::List(items) => items,
            Tree::Null => &[],
            _ => {
                self.wrong(&value.at, format!("`{what}` is a list"));
                &[]
            }
        }
    }

    fn text(&mut self, value: &Located, what: &str) -> Option<String> {
        match &value.tree {
            Tree::Scalar(text) => Some(text.clone()),
            Tree::Null => Some(String::new()),
            _ => {
                self.wrong(&value.at, format!("`{what}` is a text"));
                None
            }
        }
    }

    fn delay(&mut self, value: &Located, what: &str) -> Option<Delay> {
        let text = self.text(value, what)?;
        match text.parse::<PromDuration>() {
            Ok(duration) => Some(Delay { value: duration, text, span: Some(self.span(&value.at)) }),
            Err(_) => {
                self.wrong(&value.at, format!("`{what}` is a duration such as 5m"));
                None
            }
        }
    }

    fn pairs(&mut self, value: &Located, what: &str) -> Vec<Pair> {
        if value.tree == Tree::Null {
            return Vec::new();
        }
        let Some(entries) = self.map(value, &format!("`{what}`")) else { return Vec::new() };
        entries
            .iter()
            .filter_map(|(key, at, value)| {
                let text = self.text(value, key)?;
                Some(Pair { name: key.clone(), value: text, span: Some(self.span(at)) })
            })
            .collect()
    }

    fn unknown(&mut self, key: &str, at: &Range<usize>, what: &str, known: &[&str]) {
        let finding = Diagnostic::error("RUL001", self.span(at), format!("{what} has no `{key}`"))
            .maybe_help(did_you_mean(key, known.iter().copied()));
        self.found.push(finding);
    }
}

/// What can be said about a rule wherever it is evaluated.
pub fn check(library: &Library, rule: &Rule, found: &mut Vec<Diagnostic>) {
    for (at, message) in &rule.expr.problems {
        let span = rule.expr_span.map(|span| library.place(span, &rule.expr.text, at));
        found.push(Diagnostic::error("RUL001", span, message.clone()).label("in this expression"));
    }
    if rule.name.is_empty() {
        found.push(Diagnostic::error("RUL001", rule.expr_span, "a rule without a name"));
    }
    if !rule.alert && !rule.name.is_empty() && !NameScheme::Utf8.is_valid_metric_name(&rule.name) {
        found.push(Diagnostic::error("RUL001", rule.span, format!("`{}` is no metric name", rule.name)));
    }
    for pair in rule.labels.iter().chain(&rule.annotations) {
        let legal = NameScheme::Utf8.is_valid_label_name(&pair.name) && pair.name != "__name__";
        if !legal {
            let message = format!("`{}` is no label name", pair.name);
            found.push(Diagnostic::error("RUL001", pair.span.or(rule.span), message));
        }
    }
    if !rule.alert || !rule.expr.problems.is_empty() {
        return;
    }
    if !rule.expr.filters && rule.expr.selects {
        found.push(
            Diagnostic::warning(
                "RUL012",
                rule.expr_span,
                format!("`{}` compares nothing: it fires for every series there is", rule.name),
            )
            .help("add a condition such as `> 0`"),
        );
    }
    let mut missing = Vec::new();
    if rule.label("severity").is_none() {
        missing.push("a `severity` label, by which alerts are routed");
    }
    if !rule.annotations.iter().any(|pair| pair.name == "summary" || pair.name == "message") {
        missing.push("a `summary`, the sentence for who is woken");
    }
    if !missing.is_empty() {
        found.push(
            Diagnostic::warning("RUL014", rule.span, format!("`{}` is incomplete", rule.name))
                .help(format!("add {}", missing.join(", and "))),
        );
    }
    if let Some(wait) = rule.wait.as_ref().filter(|wait| wait.value.is_zero()) {
        found.push(
            Diagnostic::info("RUL005", wait.span, "no wait is the default")
                .help("leave it out, or wait long enough for one failed scrape"),
        );
    }
}
