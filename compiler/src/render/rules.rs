//! Rule ConfigMaps.

use super::output::Output;

/// Adds rules.
pub fn render(_out: &mut Output) {}
