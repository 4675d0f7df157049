//! Whole cycles over buckets.

mod behaviour;
mod interrupted;
mod made;
mod recorded;
mod world;
mod zoo;
