//! Storage classes and the NFS provisioner.

use super::output::Output;

/// Adds storage classes.
pub fn render(_out: &mut Output) {}
