//! The parts.

mod cycle;
mod downsample;
mod merge;
mod simulation;
mod source;
