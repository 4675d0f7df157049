//! Matchers as Alertmanager writes them: `{cluster="eu", team=~"a|b"}`, braces and quotes may be left out.

use prom_model::{MatchOp, Matcher, NameScheme};

/// A text that is no list of matchers.
#[derive(Debug, thiserror::Error)]
pub(super) enum MatcherError {
    /// Not of the form.
    #[error("`{0}` is no matcher; write it as cluster=\"eu\"")]
    Syntax(String),
    /// An expression that cannot be compiled.
    #[error("`{text}`")]
    Regex {
        /// The matcher.
        text: String,
        /// What is wrong with it.
        #[source]
        source: prom_model::GoRegexError,
    },
}

/// Reads a list of matchers; an empty text is an empty list.
pub(super) fn parse_matchers(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let text = text.trim();
    let inner = match (text.strip_prefix('{'), text.strip_suffix('}')) {
        (Some(_), Some(_)) => text.get(1..text.len().saturating_sub(1)).unwrap_or_default(),
        (None, None) => text,
        _ => return Err(MatcherError::Syntax(text.to_owned())),
    };
    let mut parts = split(inner);
    if parts.last().is_some_and(|last| last.trim().is_empty()) {
        parts.pop();
    }
    parts.into_iter().map(one).collect()
}

/// Splits at commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn one(text: &str) -> Result<Matcher, MatcherError> {
    let wrong = || MatcherError::Syntax(text.trim().to_owned());
    let at = text.find(['=', '!']).ok_or_else(wrong)?;
    let (name, rest) = text.split_at(at);
    let (operator, value) =
        [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)]
            .into_iter()
            .find_map(|(word, operator)| Some((operator, rest.strip_prefix(word)?)))
            .ok_or_else(wrong)?;
    let (name, value) = (name.trim(), value.trim());
    if !NameScheme::Utf8.is_valid_label_name(name) {
        return Err(wrong());
    }
    let value = match value.strip_prefix('"') {
        Some(_) => serde_json::from_str(value).map_err(|_| wrong())?,
        None if value.contains('"') => return Err(wrong()),
        None => value.to_owned(),
    };
    Matcher::new(operator, name, value)
        .map_err(|source| MatcherError::Regex { text: text.trim().to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_matchers() {
        let read = |text: &str| {
            let matchers = parse_matchers(text).unwrap();
            matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" & ")
        };
        for (text, want) in [
            ("", ""),
            ("{}", ""),
            ("cluster=\"eu\"", "cluster=\"eu\""),
            ("{cluster=eu, team=~\"a|b\",}", "cluster=\"eu\" & team=~\"a|b\""),
            ("a!=\"x,y\",b!~\"c\\\"d\"", "a!=\"x,y\" & b!~\"c\\\"d\""),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
        for text in ["cluster", "{a=b", "a=\"b", "=b", "a~b", "a=~\"(\"", "a=b\"c\""] {
            assert!(parse_matchers(text).is_err(), "{text}");
        }
    }
}
