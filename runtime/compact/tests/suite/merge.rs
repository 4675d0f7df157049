//! Blocks merged into one.

mod recorded;
