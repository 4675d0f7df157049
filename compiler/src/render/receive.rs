//! Receivers: routers, ingestors, hashring.

use super::output::Output;

/// Adds receivers.
pub fn render(_out: &mut Output) {}
