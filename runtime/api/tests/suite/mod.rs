//! One module per question.

mod memory;
mod recorded;
mod recorded_calls;
mod requests;
mod stack;
