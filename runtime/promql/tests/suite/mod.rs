//! One module per subject.

mod analysis;
mod memory;
mod scripts;
mod statistics;
