//! Patches: what the user changes in rendered objects.

use super::output::Output;

/// Applies every `patch` to the objects it names.
pub fn apply(_out: &mut Output) {}
