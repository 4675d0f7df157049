//! Whole cycles over buckets.

mod recorded;
mod world;
mod zoo;
