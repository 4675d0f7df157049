//! The nouns of Prometheus: durations, timestamps, labels, matchers, native histograms, Go regular expressions and relabelling.
//!
//! Pure and synchronous: nothing here reads a clock, a file or the environment, and no input makes it panic.

mod clock;
mod duration;
mod go_case;
mod go_float;
pub mod go_math;
mod go_quote;
mod go_regex;
mod histogram;
mod labels;
mod labels_builder;
mod matcher;
mod name;
mod relabel;
mod time_text;
mod timestamp;

pub use clock::{Clock, ManualClock, SystemClock};
pub use duration::{DurationError, PromDuration};
pub use go_case::{go_lowercase, go_uppercase};
pub use go_float::{go_float, go_plain_float, push_go_float};
pub use go_quote::quote;
pub use go_regex::{Dot, GoRegex, GoRegexError, GoRegexErrorKind, GoSearch};
pub use histogram::{
    Added, Bucket, BucketIndexes, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, Histogram,
    HistogramError, IncompatibleBuckets, ResolutionError, STALE_NAN, Span, TrimSide, bucket_bounds,
    bucket_count, is_known_schema, is_stale, is_valid_schema, neumaier_add,
};
pub use labels::{Label, Labels};
pub use labels_builder::LabelsBuilder;
pub use matcher::{MatchOp, Matcher};
pub use name::{MetricName, NameError, NameScheme};
pub use relabel::{RelabelAction, RelabelConfig, RelabelError, hashmod, process, process_builder};
pub use time_text::parse_time;
pub use timestamp::TimestampMs;

/// The label that holds a series' metric name.
pub const METRIC_NAME: &str = "__name__";
