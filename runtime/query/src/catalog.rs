//! What storage has beside samples: label names and values.

use prom_model::Matcher;
use promql::SourceError;

/// The part of storage that is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Series count that satisfy all matchers of any of these sets; all series where there is no set.
    pub matchers: Vec<Vec<Matcher>>,
    /// The earliest time, milliseconds since the epoch, included.
    pub min_time: i64,
    /// The latest time, included.
    pub max_time: i64,
}

/// Names or values, and what went wrong without making them useless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Sorted, each once.
    pub texts: Vec<String>,
    /// Warnings for the one who asked.
    pub warnings: Vec<String>,
}

/// Which series and labels storage has.
pub trait Catalog: Send + Sync {
    /// The names of labels.
    fn label_names(&self, scope: &Scope) -> Result<Found, SourceError>;

    /// The values of a label.
    fn label_values(&self, name: &str, scope: &Scope) -> Result<Found, SourceError>;

    /// About how many series satisfy the matchers, rather more than there are than fewer. Cheap; nothing of the series is read.
    fn series_at_most(&self, matchers: &[Matcher], min_time: i64, max_time: i64) -> u64;
}
