//! Differences for people.

use std::fmt::Write;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Change, Kind};

/// Differences grouped by object: `+` came, `-` went, `~` changed, and a line that counts.
pub fn human(changes: &[Change], color: bool) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    let mut last: Option<&str> = None;
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    for change in changes {
        if change.field.is_empty() && change.kind != Kind::Changed {
            *(if change.kind == Kind::Added { &mut added } else { &mut removed }) += 1;
            let _ = writeln!(out, "{}", paint.line(change.kind, &change.object));
            last = None;
            continue;
        }
        if last != Some(change.object.as_str()) {
            changed += 1;
            let _ = writeln!(out, "{}", paint.line(Kind::Changed, &change.object));
            last = Some(&change.object);
        }
        field(&mut out, paint, change);
    }
    if changes.is_empty() {
        return "no differences\n".to_string();
    }
    let _ = writeln!(out, "{added} added, {removed} removed, {changed} changed");
    out
}

fn field(out: &mut String, paint: Paint, change: &Change) {
    let name = if change.field.is_empty() { String::new() } else { format!("{}: ", change.field) };
    match (&change.before, &change.after) {
        (Some(Value::String(before)), Some(Value::String(after)))
            if before.contains('\n') || after.contains('\n') =>
        {
            let _ = writeln!(out, "  ~ {}", name.trim_end());
            lines(out, paint, before, after);
        }
        (Some(before), Some(after)) => {
            let before = paint.text(Kind::Removed, &show(before));
            let _ = writeln!(out, "  ~ {name}{before} -> {}", paint.text(Kind::Added, &show(after)));
        }
        (before, after) => {
            let value = after.as_ref().or(before.as_ref()).map(show).unwrap_or_default();
            let _ = writeln!(out, "  {}", paint.line(change.kind, &format!("{name}{value}")));
        }
    }
}

fn lines(out: &mut String, paint: Paint, before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    for group in diff.grouped_ops(1) {
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let text = plain(change.value().trim_end_matches(['\n', '\r']));
            let line = match change.tag() {
                ChangeTag::Delete => paint.text(Kind::Removed, &format!("- {text}")),
                ChangeTag::Insert => paint.text(Kind::Added, &format!("+ {text}")),
                ChangeTag::Equal => format!("  {text}"),
            };
            let _ = writeln!(out, "      {}", line.trim_end());
        }
    }
}

/// A value on one line: plain text bare, everything else as JSON.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains('\n') => plain(text),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn line(self, kind: Kind, text: &str) -> String {
        let sign = match kind {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        self.text(kind, &format!("{sign} {text}"))
    }

    fn text(self, kind: Kind, text: &str) -> String {
        let code = match kind {
            Kind::Added => 32,
            Kind::Removed => 31,
            Kind::Changed => 33,
        };
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
