//! One module per subject.

mod analysis;
mod joins;
mod memory;
mod ranges;
mod scripts;
mod sharing;
mod statistics;
