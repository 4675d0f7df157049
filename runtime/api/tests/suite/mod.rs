//! One module per question.

mod memory;
mod recorded;
mod requests;
mod stack;
