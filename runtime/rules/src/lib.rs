//! Recording and alerting rules: groups that are evaluated in order, alerts that wait, fire and resolve, and the templates of
//! their labels and annotations.
//!
//! Groups know neither storage nor engine: expressions go through [`QueryFn`], samples through [`RuleStorage`]. Unit tests of
//! rules ([`unit_test`]) bring both.

mod alert;
mod error;
mod file;
mod group;
mod query;
mod record;
mod template;
pub mod unit_test;

pub use alert::{ALERT_NAME, Alert, AlertState, AlertingRule};
pub use error::RuleError;
pub use file::{FileOptions, read_rules, read_unit_tests};
pub use group::{Failure, Group, GroupContext, Rule};
pub use promql_syntax::ParseOptions;
pub use query::{BoxError, QueryFn, RuleStorage, Sample, SampleValue};
pub use record::RecordingRule;
pub use template::{AlertTemplate, TemplateData, TemplateError};
