//! The modules.

mod contract;
mod filesystem;
