//! The contract of [`Store`](crate::Store), executable: named cases that every implementation passes over the same data.
//!
//! A test puts the [`Dataset`] into its implementation, says in [`Traits`] where that differs by design, and calls [`run`]. What
//! the answer has to be is computed by [`MemoryStore`], the slowest and plainest of all stores.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests of whoever implements a store")]

mod cases;
mod check;
mod data;
mod memory;

pub use cases::{Case, cases};
pub use data::{Dataset, END, Part, START, STEP, TestSeries};
pub use memory::MemoryStore;

use std::sync::Arc;

use crate::Store;

/// Where a store differs by design.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// `limit` is obeyed when chunks are asked for.
    pub limits_chunks: bool,
    /// Shards are obeyed when no chunks are asked for.
    pub shards_labels: bool,
    /// A range of one instant gives what lies there.
    pub instants: bool,
    /// The whole of 64 bits is a range.
    pub widest_range: bool,
    /// Matchers on external labels alone select everything with them; else they are refused or select nothing.
    pub external_alone: bool,
}

impl Traits {
    /// It differs nowhere.
    pub const NONE: Traits = Traits {
        limits_chunks: true,
        shards_labels: true,
        instants: true,
        widest_range: true,
        external_alone: true,
    };
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases that were kept.
    pub passed: usize,
    /// Cases that the traits leave out.
    pub left_out: usize,
    /// Cases that were broken, and how.
    pub failed: Vec<String>,
}

/// Runs all cases over a store that holds the data.
pub async fn run(store: Arc<dyn Store>, data: &Dataset, traits: Traits) -> Outcome {
    let reference = MemoryStore::new(data.clone());
    let mut outcome = Outcome::default();
    for case in cases(data) {
        if !case.applies(traits) {
            outcome.left_out += 1;
            continue;
        }
        match check::check(&*store, &reference, &case).await {
            Ok(()) => outcome.passed += 1,
            Err(why) => outcome.failed.push(format!("{}: {why}", case.name)),
        }
    }
    outcome
}
