//! One module per question.

mod buckets;
mod completeness;
mod endpoints;
mod evaluate;
mod fleet;
mod groups;
mod recorded;
mod selections;
