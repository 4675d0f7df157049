//! The modules.

mod contract;
mod filesystem;
mod s3;
mod self_test;
