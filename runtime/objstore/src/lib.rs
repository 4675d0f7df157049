//! Object storage: one [`Bucket`] trait over S3, GCS, Azure and folders; retries, metrics, caches, prefixes and faults are layers
//! around it, and one acceptance suite holds all of them to the same behaviour.
//!
//! This crate knows objects. What a block is, it does not know.

pub mod bucket;
pub mod error;

pub use bucket::{Attributes, Body, Bucket, BucketRef, Entry, Get, Listing, Put, Written};
pub use error::BucketError;
