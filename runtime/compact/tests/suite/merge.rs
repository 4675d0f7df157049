//! Blocks merged into one.

mod aggregates;
mod damage;
mod promtool;
mod random;
mod recorded;
mod reference;
mod world;
