//! Matchers of a request: those on external labels are answered here, the others by Prometheus.

use prom_model::{Labels, MatchOp, Matcher};
use storeapi::thanos::LabelMatcher;
use storeapi::{MatcherError, prometheus};
use tonic::Status;

/// The matchers that are left for Prometheus; `None` where the external labels do not match.
pub(super) fn without_external(
    matchers: &[LabelMatcher],
    external: &Labels,
) -> Result<Option<Vec<Matcher>>, Status> {
    let matchers = storeapi::from_wire(matchers).map_err(refused)?;
    let mut left = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match external.get(matcher.name()) {
            None => left.push(matcher),
            Some(value) if matcher.matches(value) => {}
            Some(_) => return Ok(None),
        }
    }
    Ok(Some(left))
}

pub(super) fn refused(error: MatcherError) -> Status {
    Status::invalid_argument(error.to_string())
}

/// As a selector of the HTTP API: `{job="x", path=~"/v1/.*"}`.
pub(super) fn selector(matchers: &[Matcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
    format!("{{{}}}", matchers.join(", "))
}

/// As in a remote read.
pub(super) fn remote(matchers: &[Matcher]) -> Vec<prometheus::LabelMatcher> {
    use prometheus::label_matcher::Type;
    let kind = |op| match op {
        MatchOp::Equal => Type::Eq,
        MatchOp::NotEqual => Type::Neq,
        MatchOp::Regex => Type::Re,
        MatchOp::NotRegex => Type::Nre,
    };
    matchers
        .iter()
        .map(|matcher| prometheus::LabelMatcher {
            r#type: kind(matcher.op()).into(),
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
        })
        .collect()
}
