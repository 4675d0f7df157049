//! Rulers.

use super::output::Output;

/// Adds rulers.
pub fn render(_out: &mut Output) {}
