//! One module per question.

mod chunks;
mod iterators;
mod replicas;
