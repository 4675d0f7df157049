//! One module per question.

mod digests;
mod examined;
mod fixtures;
mod recorded_blocks;
mod same_bytes;
