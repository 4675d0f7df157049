//! PromQL, evaluated: query text → plan → operators over columns of steps → answer. What storage there is nobody here knows.
//!
//! One way, top to bottom:
//!
//! 1. [`Engine::prepare`] parses the text and lowers the tree to a plan (`plan/`): parentheses gone, durations known, `@` and
//!    offsets resolved to times, parts that are the same at each step marked, each node with the [`Steps`] it is evaluated at.
//!    Rules (`plan/`, one per file) rewrite it.
//! 2. [`Prepared::run`] makes an operator of each node (`exec/`). An operator gives its series one after another: a [`Row`] is
//!    a label set and a [`Column`] with one slot per step. Memory follows the groups of a query, not its series, wherever the
//!    query allows it.
//! 3. Leaves take series from a [`SeriesSource`] in batches, in label order, and evaluate a batch on all cores; rows come out in
//!    the order of the labels whatever the scheduling, so that sums are added in Prometheus' order.
//!
//! Label names and values are numbers ([`Symbol`]) inside a query; only the answer looks at their text.

mod analysis;
mod annotations;

mod calendar;
mod column;
mod control;
mod engine;
mod error;
mod exec;
mod labels;
mod plan;
mod samples;
pub mod script;
mod source;
mod stats;
mod value;

pub use analysis::{NodeStats, Stopwatch};
pub use annotations::{Annotation, Annotations, Level};
pub use budget::{Budget, BudgetExceeded, Held};
pub use column::{Bits, Column, Point, Steps};
pub use control::{Cancel, Control, Pace, Pauses};
pub use engine::{Engine, EngineOptions, Prepared, QueryRange, STACK_BYTES};
pub use error::QueryError;
pub use labels::{LabelSet, Symbol, Symbols};
pub use samples::Samples;
pub use source::{Projection, SampleReader, Select, SeriesBatch, SeriesSet, SeriesSource, SourceError};
pub use stats::{QueryStats, StepSamples};
pub use value::{Answer, InstantSample, RangeSeries, Row, Value};
