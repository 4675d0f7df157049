//! One module per question.

mod fixtures;
mod recorded_blocks;
mod same_bytes;
