//! Blocks that are not to be compacted or downsampled: they are seen, and their marks are collected.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tsdb::BlockId;

use super::{Filter, Round};
use crate::fetcher::View;
use crate::marker::{FoundMark, Mark, NoCompactMark, NoDownsampleMark, read_mark};

/// Collects the marks of blocks that are not to be compacted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCompactMarks;

#[async_trait]
impl Filter for NoCompactMarks {
    async fn apply(&self, round: &Round<'_>, view: &mut View) {
        let blocks = view.metas.keys().copied().collect();
        for (block, found) in read_marks::<NoCompactMark>(round, blocks, view).await {
            view.no_compact_marks.insert(block, found.mark);
        }
    }
}

/// Collects the marks of blocks that are not to be downsampled.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDownsampleMarks;

#[async_trait]
impl Filter for NoDownsampleMarks {
    async fn apply(&self, round: &Round<'_>, view: &mut View) {
        let blocks = view.metas.keys().copied().collect();
        for (block, found) in read_marks::<NoDownsampleMark>(round, blocks, view).await {
            view.no_downsample_marks.insert(block, found.mark);
        }
    }
}

/// Reads the marks of blocks; of those that a listing of everything does not have, none is read.
pub(super) async fn read_marks<M: Mark>(
    round: &Round<'_>,
    blocks: Vec<BlockId>,
    view: &mut View,
) -> Vec<(BlockId, FoundMark<M>)> {
    let (bucket, listed) = (round.bucket, round.listed);
    let may_have = |block: &BlockId| listed.get(block).is_none_or(|listed| listed.may_have(M::FILE));
    let reads = blocks
        .into_iter()
        .filter(may_have)
        .map(|block| async move { (block, read_mark::<M>(bucket, block).await) });
    let mut reads = futures::stream::iter(reads).buffer_unordered(round.concurrency);
    let mut found = Vec::new();
    while let Some((block, read)) = reads.next().await {
        match read {
            Ok(Some(mark)) => found.push((block, mark)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(block = %block, error = &error as &dyn std::error::Error, "could not use a mark");
                view.errors.push((block, Arc::new(error.into())));
            }
        }
    }
    found.sort_by_key(|(block, _)| *block);
    view.errors.sort_by_key(|(block, _)| *block);
    found
}
