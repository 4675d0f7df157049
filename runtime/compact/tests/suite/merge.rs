//! Blocks merged into one.

mod random;
mod recorded;
mod reference;
mod world;
