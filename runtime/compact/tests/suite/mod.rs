//! The parts.

mod downsample;
