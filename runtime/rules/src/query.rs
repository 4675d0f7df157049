//! The doors to the outside: what evaluates an expression, and what keeps the samples that rules make.

use std::error::Error;

use prom_model::{FloatHistogram, Labels, TimestampMs};

/// The value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Box<FloatHistogram>),
}

/// One element of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels, the metric name among them.
    pub labels: Labels,
    /// The value.
    pub value: SampleValue,
}

/// Why an expression has no value, or a sample is not kept: the cause of whoever evaluates or keeps.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Evaluates expressions.
pub trait QueryFn {
    /// The value of an instant query; a scalar is an element without labels. Strings and ranges are errors.
    fn query(&mut self, expr: &str, at: TimestampMs) -> Result<Vec<Sample>, BoxError>;
}

/// Evaluates expressions over the samples that it keeps.
pub trait RuleStorage: QueryFn {
    /// Keeps the sample of a series, for one instant.
    fn append(&mut self, labels: &Labels, at: TimestampMs, value: &SampleValue) -> Result<(), BoxError>;

    /// Makes everything that was appended visible to queries.
    fn commit(&mut self) -> Result<(), BoxError>;
}
