//! How much memory may be held, as a value that is asked before memory grows.

mod tree;

pub use tree::{Budget, BudgetExceeded, Held};
