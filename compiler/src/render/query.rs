//! Queriers and their frontend.

use super::output::Output;
use crate::model::Model;

/// Adds queriers and frontends; `model` names the other clusters that they reach.
pub fn render(_out: &mut Output, _model: &Model) {}
