//! The modules.

mod contract;
mod filesystem;
mod layers;
mod retry;
mod s3;
mod self_test;
mod wire;
