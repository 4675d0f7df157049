//! One module per question.

mod bounded_writer;
mod digests;
mod examined;
mod fixtures;
mod index_v1;
mod killed;
mod merged_symbols;
mod prometheus;
mod promtool;
mod random_blocks;
mod recorded_blocks;
mod repaired;
mod same_bytes;
