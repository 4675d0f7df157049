//! The modules.

mod contract;
mod filesystem;
mod s3;
