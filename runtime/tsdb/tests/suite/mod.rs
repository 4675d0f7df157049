//! One module per question.

mod fixtures;
mod recorded_blocks;
