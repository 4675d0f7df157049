//! One module per subject.

mod analysis;
mod joins;
mod memory;
mod pauses;
mod ranges;
mod scripts;
mod sharing;
mod statistics;
