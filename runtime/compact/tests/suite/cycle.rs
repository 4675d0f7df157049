//! Whole cycles over buckets.

mod behaviour;
mod made;
mod recorded;
mod world;
mod zoo;
