//! Blocks that are to be deleted.

use async_trait::async_trait;
use prom_model::PromDuration;

use super::marks::read_marks;
use super::{Filter, Round};
use crate::fetcher::{BlockState, View};
use crate::marker::DeletionMark;

/// Collects deletion marks, and hides blocks that were marked longer ago than a delay; `--ignore-deletion-marks-delay`.
///
/// The marks of partial blocks are collected as well: a deletion that was interrupted leaves such.
#[derive(Debug, Clone, Copy)]
pub struct IgnoreDeletionMarks(pub PromDuration);

#[async_trait]
impl Filter for IgnoreDeletionMarks {
    async fn apply(&self, round: &Round<'_>, view: &mut View) {
        let blocks = view.metas.keys().chain(view.partial.keys()).copied().collect();
        for (block, found) in read_marks::<DeletionMark>(round, blocks, view).await {
            // Whole seconds, as the mark has them and as Thanos compares.
            let age = round.now.since(found.mark.time());
            view.deletion_marks.insert(block, found);
            if age > self.0 {
                view.drop_block(block, BlockState::MarkedForDeletion);
            }
        }
    }
}
