//! One module per subject.

mod analysis;
mod memory;
mod statistics;
