//! One module per subject.

mod analysis;
mod memory;
mod ranges;
mod scripts;
mod statistics;
