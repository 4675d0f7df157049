//! Writes one event as a line of logfmt or JSON, in go-kit's order.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;

/// The line format of the originals.
#[derive(Debug, Clone, Copy)]
pub struct GoKit {
    format: Format,
}

impl GoKit {
    /// Lines of this shape.
    pub fn new(format: Format) -> Self {
        Self { format }
    }
}

impl<S, N> FormatEvent<S, N> for GoKit
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut pairs = Pairs::default();
        event.record(&mut pairs);
        let file = metadata.file().and_then(|path| path.rsplit('/').next()).unwrap_or("unknown");
        let mut head = vec![
            ("ts".to_owned(), now()),
            ("caller".to_owned(), format!("{file}:{}", metadata.line().unwrap_or(0))),
            ("level".to_owned(), level(*metadata.level()).to_owned()),
        ];
        head.extend(pairs.take("component"));
        head.extend(pairs.take("msg"));
        head.append(&mut pairs.0);
        match self.format {
            Format::Logfmt | Format::Journald => writeln!(writer, "{}", logfmt(&head)),
            Format::Json => {
                let object: Map<String, Value> =
                    head.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
                writeln!(writer, "{}", Value::Object(object))
            }
        }
    }
}

/// The time in UTC with milliseconds or more, as RFC 3339.
fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// Fields in the order of the call.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl Pairs {
    pub(super) fn take(&mut self, key: &str) -> Option<(String, String)> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(index))
    }

    fn add(&mut self, field: &Field, value: String) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.push((name.to_owned(), value));
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.add(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// `key=value` pairs; values are quoted where a reader of logfmt needs it.
fn logfmt(pairs: &[(String, String)]) -> String {
    let mut line = String::new();
    for (key, value) in pairs {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        let bare = value.chars().all(|c| c > ' ' && c != '=' && c != '"' && c != '\u{fffd}' && c != '\u{7f}');
        if bare {
            line.push_str(value);
        } else {
            // JSON's escapes are those of logfmt.
            line.push_str(&Value::String(value.clone()).to_string());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::logfmt;

    #[test]
    fn values_are_quoted_only_where_needed() {
        let pairs =
            [("a", "plain/path.yml"), ("b", "two words"), ("c", ""), ("d", "say \"x\"\n"), ("e", "k=v")];
        let pairs: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(logfmt(&pairs), "a=plain/path.yml b=\"two words\" c= d=\"say \\\"x\\\"\\n\" e=\"k=v\"");
    }
}
