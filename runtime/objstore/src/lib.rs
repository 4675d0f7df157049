//! Object storage: one [`Bucket`] trait over S3, GCS, Azure and folders; retries, metrics, caches, prefixes and faults are layers
//! around it, and one acceptance suite holds all of them to the same behaviour.
//!
//! This crate knows objects. What a block is, it does not know.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod acceptance;
pub mod bucket;
pub mod chance;
mod cloud;
pub mod config;
mod connect;
pub mod error;
pub mod file_body;
pub mod filesystem;
pub mod layers;
pub mod memory;
pub mod name;
pub mod read;
pub mod self_test;

pub use bucket::{Attributes, Body, Bucket, BucketRef, Entry, Get, Listing, Put, Written};
pub use chance::Chance;
pub use config::{BucketConfig, ConfigError};
pub use connect::Surroundings;
pub use error::BucketError;
pub use file_body::FileBody;
pub use filesystem::Filesystem;
pub use memory::Memory;
pub use read::{CopyError, copy_to, read_all};
pub use self_test::{Finding, SelfTest, Step, self_test};
