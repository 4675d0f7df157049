//! Conditions on labels: from the wire and onto it.

use prom_model::{GoRegexError, MatchOp, Matcher};

use crate::thanos::LabelMatcher;
use crate::thanos::label_matcher::Type;

/// A matcher that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MatcherError {
    /// The type has no meaning.
    #[error("unrecognized label matcher type {0}")]
    Type(i32),
    /// The expression does not compile.
    #[error(transparent)]
    Regex(#[from] GoRegexError),
}

/// Reads the matchers of a request.
pub fn from_wire(matchers: &[LabelMatcher]) -> Result<Vec<Matcher>, MatcherError> {
    matchers
        .iter()
        .map(|matcher| {
            let op = match Type::try_from(matcher.r#type) {
                Ok(Type::Eq) => MatchOp::Equal,
                Ok(Type::Neq) => MatchOp::NotEqual,
                Ok(Type::Re) => MatchOp::Regex,
                Ok(Type::Nre) => MatchOp::NotRegex,
                Err(_) => return Err(MatcherError::Type(matcher.r#type)),
            };
            Ok(Matcher::new(op, matcher.name.as_str(), matcher.value.as_str())?)
        })
        .collect()
}

/// Writes matchers for a request.
pub fn to_wire<'a>(matchers: impl IntoIterator<Item = &'a Matcher>) -> Vec<LabelMatcher> {
    let write = |matcher: &Matcher| {
        let kind = match matcher.op() {
            MatchOp::Equal => Type::Eq,
            MatchOp::NotEqual => Type::Neq,
            MatchOp::Regex => Type::Re,
            MatchOp::NotRegex => Type::Nre,
        };
        LabelMatcher {
            r#type: kind.into(),
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
        }
    };
    matchers.into_iter().map(write).collect()
}
