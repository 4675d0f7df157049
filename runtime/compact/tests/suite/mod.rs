//! The parts.

mod downsample;
mod merge;
mod simulation;
mod source;
