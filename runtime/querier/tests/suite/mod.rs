//! One module per question.

mod buckets;
mod evaluate;
mod recorded;
mod selections;
