//! Other Deployments.

use super::output::Output;

/// Adds workloads.
pub fn render(_out: &mut Output) {}
