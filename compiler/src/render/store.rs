//! Store gateways.

use super::output::Output;

/// Adds store gateways.
pub fn render(_out: &mut Output) {}
