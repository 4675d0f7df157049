//! Answers: what a query evaluates to, with its annotations and counts.

use std::sync::Arc;

use prom_model::FloatHistogram;

use crate::{Annotations, Column, Held, LabelSet, NodeStats, QueryStats, Samples, Steps, Symbols};

/// A series and its values at the steps of an expression.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The labels.
    pub labels: LabelSet,
    /// Whether the labels of the metric go at the end of the query (delayed name removal).
    pub drop_name: bool,
    /// The values.
    pub column: Column,
}

/// A series of an instant vector.
#[derive(Debug, Clone)]
pub struct InstantSample {
    /// The labels.
    pub labels: LabelSet,
    /// The value where it is a float; 0 otherwise.
    pub value: f64,
    /// The value where it is a histogram.
    pub histogram: Option<Arc<FloatHistogram>>,
}

/// A series of a range vector: samples at times of their own.
#[derive(Debug, Clone)]
pub struct RangeSeries {
    /// The labels.
    pub labels: LabelSet,
    /// The samples.
    pub samples: Samples,
}

/// What a query evaluates to.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number at a time.
    Scalar {
        /// Milliseconds since the epoch.
        time: i64,
        /// The number.
        value: f64,
    },
    /// A text at a time.
    String {
        /// Milliseconds since the epoch.
        time: i64,
        /// The text.
        text: String,
    },
    /// One value per series, all at the same time, in the order that evaluation gave.
    Vector {
        /// Milliseconds since the epoch.
        time: i64,
        /// The series.
        samples: Vec<InstantSample>,
    },
    /// Values at the steps of a range query, sorted by labels.
    Matrix {
        /// The steps.
        steps: Steps,
        /// The series; each has at least one value.
        series: Vec<Row>,
    },
    /// An instant query for a range: raw samples, sorted by labels.
    RangeVector {
        /// The series; each has at least one sample.
        series: Vec<RangeSeries>,
    },
}

/// The outcome of a query.
#[derive(Debug)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// The texts of its labels.
    pub symbols: Symbols,
    /// Warnings and infos.
    pub annotations: Annotations,
    /// What it took.
    pub stats: QueryStats,
    /// What each node of the plan did, each before those below it; only where [`Control::stopwatch`](crate::Control) is set.
    pub analysis: Option<Vec<NodeStats>>,
    /// The memory of the value and of the texts: it stays taken from the budget as long as the answer is there.
    pub held: [Held; 2],
}
