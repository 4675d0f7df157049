//! One module per question.

mod chunks;
mod damage;
mod iterators;
mod replicas;
