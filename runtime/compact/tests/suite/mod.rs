//! The parts.

mod cycle;
mod downsample;
mod estimate;
mod merge;
mod simulation;
mod source;
