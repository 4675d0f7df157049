//! The parts.

mod downsample;
mod simulation;
