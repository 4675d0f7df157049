//! Recording and alerting rules: groups that are evaluated in order, alerts that wait, fire and resolve, and the templates of
//! their labels and annotations.
//!
//! Nothing here knows storage or the engine: expressions go through [`QueryFn`], samples through [`RuleStorage`].

mod alert;
mod error;
mod group;
mod query;
mod record;
mod template;

pub use alert::{ALERT_NAME, Alert, AlertState, AlertingRule};
pub use error::RuleError;
pub use group::{Failure, Group, GroupContext, Rule};
pub use query::{BoxError, QueryFn, RuleStorage, Sample, SampleValue};
pub use record::RecordingRule;
pub use template::{AlertTemplate, TemplateData, TemplateError};
