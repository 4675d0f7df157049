//! Why a rule could not be evaluated, in Prometheus' words.

use crate::BoxError;

/// Why a rule gave nothing, or lost something.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The expression has no value.
    #[error(transparent)]
    Query(BoxError),
    /// With the rule's labels, two alerts cannot be told apart.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    DuplicateAlerts,
    /// With the rule's labels, two series cannot be told apart.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    DuplicateSeries,
    /// The group allows fewer alerts.
    #[error("exceeded limit of {limit} with {found} alerts")]
    TooManyAlerts {
        /// What the group allows.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The group allows fewer series.
    #[error("exceeded limit of {limit} with {found} series")]
    TooManySeries {
        /// What the group allows.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A sample was not kept.
    #[error(transparent)]
    Append(BoxError),
}
