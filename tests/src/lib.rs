//! What the outside tests share: the repository as files, and handles for real programs.

pub mod program;
pub mod read_path;
pub mod reload;
pub mod repository;
pub mod up;
