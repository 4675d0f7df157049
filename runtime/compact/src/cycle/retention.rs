//! The queue of retention: what is too old is marked, unless the last samples of a range would go with it.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::findings::{Finding, Severity};
use block::{BlockId, BlockState, DeletionMark, Meta, Resolution, View, group_key, read_mark};
use error_kind::Kind;

use super::Compactor;
use super::claims::{Claimed, Held};
use super::error::{JobFailure, QueueError};
use super::health::KEPT;
use super::outcome::{Outcome, Queue};
use super::views::{Judged, chain};
use crate::lineage::{Bucketful, Decision, Guard};

impl Compactor {
    /// Marks what is too old.
    pub(super) async fn retain(&self) -> Outcome {
        let mut outcome = Outcome::default();
        match self.retain_blocks(&mut outcome).await {
            Ok(()) => self.book().queue(Queue::Retention, self.now(), None),
            Err(error) => self.queue_failed(Queue::Retention, &error, &mut outcome),
        }
        outcome
    }

    async fn retain_blocks(&self, outcome: &mut Outcome) -> Result<(), QueueError> {
        if self.config.retention == block::Retention::default() {
            return Ok(());
        }
        let view = self.views.fresh().await?;
        let decision = self.decide_retention(&view);
        for kept in &decision.held {
            let finding = Finding::new(kept.block, Severity::Note, "retention-held", kept.to_string());
            tracing::warn!(block = %kept.block, why = %kept, "kept a block that is too old");
            self.book().block(&finding, None, KEPT, self.now(), Vec::new());
        }
        if decision.delete.is_empty() {
            return Ok(());
        }
        let claim = |failure: JobFailure| QueueError::Claim(Box::new(failure));
        let mut held = match self.claims.whole("retention").await.map_err(claim)? {
            Claimed::Ours(held) => held,
            Claimed::Taken { .. } => return Ok(()),
        };
        let done = self.mark_expired(&decision, &view, &mut held, outcome).await;
        held.release().await;
        done.map_err(claim)
    }

    async fn mark_expired(
        &self,
        decision: &Decision,
        view: &View,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        for expired in &decision.delete {
            let marked = match self.is_still_expired(expired.block, view).await {
                Ok(false) => continue,
                Ok(true) => {
                    held.confirm().await?;
                    tracing::info!(id = %expired.block, details = expired.details, "applying retention: marking block for deletion");
                    self.mark_for_deletion(expired.block, &expired.details, outcome).await
                }
                Err(failure) => Err(failure),
            };
            if let Err(failure) = marked {
                let words = chain(&failure);
                tracing::warn!(id = %expired.block, error = words, kind = ?failure.kind(), "a block that is too old was not marked");
                outcome.failures.push((Queue::Retention, expired.block.to_string(), words));
            }
        }
        Ok(())
    }

    /// Whether a block, and the coarser ones that hold its time, are what the decision took them for, and nothing that it was made
    /// of is left over, be it that no listing has it.
    async fn is_still_expired(&self, block: BlockId, view: &View) -> Result<bool, JobFailure> {
        let Some(meta) = view.metas.get(&block) else { return Ok(false) };
        let stands_for = |other: &&Arc<Meta>| {
            other.thanos.downsample.resolution > meta.thanos.downsample.resolution
                && other.thanos.external_labels() == meta.thanos.external_labels()
                && other.block.min_time < meta.block.max_time
                && meta.block.min_time < other.block.max_time
        };
        for seen in std::iter::once(meta).chain(view.metas.values().filter(stands_for)) {
            if !self.is_as_seen(seen, view).await? {
                return Ok(false);
            }
        }
        for origin in origins(meta).filter(|origin| !view.deletion_marks.contains_key(origin)) {
            let left = self.read_meta(origin).await?;
            if left.is_some_and(|left| group_key(&left.thanos) == group_key(&meta.thanos))
                && read_mark::<DeletionMark>(self.bucket.as_ref(), origin).await?.is_none()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is too old, and what of it has to stay.
    pub(super) fn decide_retention(&self, view: &View) -> Decision {
        let judged = Judged::of(view);
        let mut unusable: BTreeMap<_, _> = judged
            .findings
            .iter()
            .map(|finding| (finding.block, format!("{}: {}", finding.code, finding.detail)))
            .collect();
        let words = |reason: &block::NoCompactReason| crate::quarantine::reason_words(reason);
        for (block, mark) in &view.no_compact_marks {
            // A mark against large indices, or by hand, says nothing about what can be read.
            if let block::NoCompactReason::Other(_) | block::NoCompactReason::BlockIndexOutOfOrderChunk =
                &mark.reason
            {
                unusable.insert(*block, format!("{}: {}", words(&mark.reason), mark.details));
            }
        }
        let metas = view.metas.values().map(AsRef::as_ref);
        let bucketful = Bucketful {
            metas: metas.filter(|meta| !view.deletion_marks.contains_key(&meta.id())).collect(),
            no_downsample: view.no_downsample_marks.keys().copied().collect(),
            unusable,
        };
        let mut decision = self.guard().decide(&bucketful, self.now());
        // What a block was made of and is not marked yet is hidden by it; without the block it would be seen again.
        // Raw blocks that share time are merged first, or what was made of each of them would stay beside each other for ever.
        let compacted = LazyCell::new(|| self.to_be_compacted(view, &judged));
        decision.delete.retain(|expired| {
            let raw = view.metas.get(&expired.block);
            let raw = raw.filter(|meta| meta.thanos.downsample.resolution == Resolution::RAW);
            let is_merged_first =
                |meta: &Arc<Meta>| self.is_to_be_merged(meta, view) && compacted.contains(&expired.block);
            !hides_what_it_was_made_of(expired.block, view) && !raw.is_some_and(is_merged_first)
        });
        decision
    }

    /// The rules of retention.
    pub(super) const fn guard(&self) -> Guard {
        Guard {
            retention: self.config.retention,
            downsampling: self.config.downsampling,
            as_thanos: self.config.halt_compat,
        }
    }
}

/// Whether blocks that this one was made of are still there and unmarked: hidden because it holds what they hold, or not seen for
/// now.
fn hides_what_it_was_made_of(block: BlockId, view: &View) -> bool {
    let Some(meta) = view.metas.get(&block) else { return false };
    let is_there = |origin: &BlockId| {
        let hidden = view.dropped.get(origin).is_some_and(|state| *state != BlockState::MarkedForDeletion);
        let unread = view.partial.contains_key(origin) || view.errors.iter().any(|(id, _)| id == origin);
        let seen = view.metas.get(origin);
        // One of another resolution is not hidden by it.
        hidden || unread || seen.is_some_and(|seen| group_key(&seen.thanos) == group_key(&meta.thanos))
    };
    origins(meta).any(|origin| is_there(&origin) && !view.deletion_marks.contains_key(&origin))
}

/// The blocks that a block was made of, each once.
fn origins(meta: &Meta) -> impl Iterator<Item = BlockId> {
    let compaction = &meta.block.compaction;
    let parents = compaction.parents.iter().map(|parent| parent.ulid);
    let mut origins: BTreeSet<BlockId> = parents.chain(compaction.sources.iter().copied()).collect();
    origins.remove(&meta.id());
    origins.into_iter()
}
