//! The queue of downsampling: raw samples to five minutes, and these to an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::findings::of_content;
use block::{BlockId, Meta, Resolution, View};
use error_kind::Kind;
use futures::StreamExt;

use super::Compactor;
use super::claims::{Claimed, Held};
use super::error::{JobFailure, QueueError};
use super::outcome::{Outcome, Queue};
use super::suspects::{During, From, Resolved};
use super::trouble::Trouble;
use super::views::{Judged, chain};
use crate::downsample::{Due, Job, JobDone, JobError, select};
use crate::plan::{Known, Outlook, groups};
use crate::quarantine::{Verdict, judge};
use crate::verify::PROVENANCE;

/// What was made in the first pass is the source of the second; a third finds what was repaired meanwhile.
const PASSES: usize = 3;

impl Compactor {
    /// Downsamples what is due, and what becomes due by that.
    pub(super) async fn downsample(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..PASSES {
            match self.downsample_pass(&mut outcome).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.queue_failed(Queue::Downsampling, &error, &mut outcome);
                    return outcome;
                }
            }
        }
        self.book().queue(Queue::Downsampling, self.now(), None);
        outcome
    }

    async fn downsample_pass(&self, outcome: &mut Outcome) -> Result<bool, QueueError> {
        let view = self.views.fresh().await?;
        for meta in view.metas.values() {
            self.downsample_metrics.know(meta.thanos.downsample.resolution);
        }
        let due = self.due(&view);
        let jobs = due.iter().map(|due| self.downsample_block(*due, &view));
        let mut jobs = futures::stream::iter(jobs).buffered(self.config.downsample_concurrency.max(1));
        let mut made = false;
        while let Some(done) = jobs.next().await {
            made |= done.has_changed();
            outcome.add(done);
        }
        Ok(made)
    }

    /// The blocks that are to be downsampled now: those that are long enough, and those that retention waits for. What would be
    /// too old once it is made is not made, unless retention waits for what is made of it.
    pub(super) fn due(&self, view: &View) -> Vec<Due> {
        let judged = Judged::of(view);
        let excluded: BTreeSet<BlockId> = view
            .no_downsample_marks
            .keys()
            .chain(&judged.excluded)
            .chain(&judged.suspects)
            .copied()
            .collect();
        let held = self.decide_retention(view).held;
        let is_held =
            |block: BlockId| held.iter().any(|held| held.block == block && held.is_to_be_downsampled());
        // What is to be joined with others is joined first: coarser blocks that share time cannot be merged.
        let joined = match held.iter().any(|held| held.is_to_be_downsampled()) {
            true => self.to_be_compacted(view, &judged),
            false => BTreeSet::new(),
        };
        let waited_for = |block: BlockId| {
            let stays = |meta: &Arc<Meta>| !joined.contains(&block) && !self.is_to_be_merged(meta, view);
            is_held(block) && view.metas.get(&block).is_some_and(stays)
        };
        let mut due = select(view.metas.values().map(AsRef::as_ref), |block| excluded.contains(&block));
        let (guard, now) = (self.guard(), self.now());
        due.retain(|due| {
            let kept = view.metas.get(&due.block).is_some_and(|meta| guard.keeps(meta, due.to, now));
            kept || waited_for(due.block)
        });
        for meta in view.metas.values().filter(|meta| waited_for(meta.id()) && !excluded.contains(&meta.id()))
        {
            let to = match meta.thanos.downsample.resolution {
                Resolution::RAW => Resolution::FIVE_MINUTES,
                Resolution::FIVE_MINUTES => Resolution::ONE_HOUR,
                _ => continue,
            };
            let due_for_retention = Due { block: meta.id(), to };
            if !due.contains(&due_for_retention) {
                due.push(due_for_retention);
            }
        }
        due
    }

    /// The blocks that compaction is going to take.
    pub(super) fn to_be_compacted(&self, view: &View, judged: &Judged) -> BTreeSet<BlockId> {
        let groups = groups(view.metas.values().filter(|meta| !meta.thanos.labels.is_empty()).cloned());
        let (excluded, unknown) = (judged.excluded_from_compaction(view), BTreeMap::new());
        let outlook =
            Outlook::of(&self.planner, &groups, Known { excluded: &excluded, index_bytes: &unknown });
        outlook.jobs.iter().flat_map(|planned| planned.job.source_ids()).collect()
    }

    /// Whether another block of the same group shares time with this one, and compaction may take both.
    pub(super) fn is_to_be_merged(&self, meta: &Meta, view: &View) -> bool {
        let is_taken = |block: BlockId| {
            !view.no_compact_marks.contains_key(&block) && !view.deletion_marks.contains_key(&block)
        };
        let shares_time = |other: &Meta| {
            other.id() != meta.id()
                && block::group_key(&other.thanos) == block::group_key(&meta.thanos)
                && other.block.min_time < meta.block.max_time
                && meta.block.min_time < other.block.max_time
        };
        is_taken(meta.id()) && view.metas.values().any(|other| shares_time(other) && is_taken(other.id()))
    }

    async fn downsample_block(&self, due: Due, view: &View) -> Outcome {
        let mut outcome = Outcome::default();
        let what = format!("downsample {}", due.block);
        if self.backoff().is_paused(&what, self.now()) {
            return outcome;
        }
        match self.downsample_claimed(due, view, &mut outcome).await {
            Ok(()) => self.backoff().succeeded(&what),
            Err(failure @ JobFailure::OverBudget { .. }) => {
                // It takes as much the next time.
                let words = group_words(view, due.block);
                let queue = (Queue::Downsampling, what.as_str());
                self.note_over_budget(queue, &[due.block], &words, &failure, &mut outcome);
            }
            Err(failure) => {
                let words = chain(&failure);
                self.metrics.retries.inc();
                self.backoff().failed(&what, self.now());
                tracing::error!(block = %due.block, error = words, kind = ?failure.kind(), "a block was not downsampled and is tried again later");
                outcome.failures.push((Queue::Downsampling, due.block.to_string(), words));
            }
        }
        outcome
    }

    async fn downsample_claimed(
        &self,
        due: Due,
        view: &View,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let Some(meta) = view.metas.get(&due.block) else { return Ok(()) };
        let key = format!("downsample-{}", block::group_key(&meta.thanos));
        let range = (meta.block.min_time, meta.block.max_time);
        let mut held = match self.claims.range(&key, range).await? {
            Claimed::Ours(held) => held,
            Claimed::Taken { .. } => {
                outcome.taken = outcome.taken.saturating_add(1);
                return Ok(());
            }
        };
        let done = match self.room_to_downsample(meta, due.to).await {
            Ok(_room) => self.downsample_held(due, view, &mut held, outcome).await,
            Err(failure) => Err(failure),
        };
        held.release().await;
        done
    }

    async fn downsample_held(
        &self,
        due: Due,
        view: &View,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let Some(source) = view.metas.get(&due.block) else { return Ok(()) };
        if !self.is_as_seen(source, view).await? {
            return Ok(());
        }
        let mut source = Meta::clone(source);
        // It is about its own block.
        if let Some(extensions) = source.thanos.extensions.as_object_mut() {
            extensions.shift_remove(PROVENANCE);
        }
        let source = &source;
        let id = self.new_id();
        let folder = self.downsample_dir().join(id.to_string());
        self.make_folder(&folder).await.map_err(JobFailure::Disk)?;
        let job = Job {
            bucket: self.bucket.as_ref(),
            fs: &self.fs,
            folder: &folder,
            clock: self.clock.as_ref(),
            source,
            to: due.to,
            id,
            hash_func: self.config.hash_func,
            file_concurrency: self.config.file_concurrency,
            memory_bytes: self.config.memory_bytes,
            accept_malformed_index: self.config.accept_malformed_index,
        };
        let mut done = held.during(job.run()).await;
        if let Ok(Err(error)) = &done
            && error.is_about_source()
        {
            // What one reading finds may be the reading's own fault.
            let said = chain(error);
            self.make_folder(&folder).await.map_err(JobFailure::Disk)?;
            done = held.during(job.run()).await;
            if let Ok(Err(error)) = &done
                && error.is_about_source()
                && chain(error) != said
            {
                let difference = format!("one reading of its source finds {said}, the next {}", chain(error));
                done = Err(JobFailure::Output { sources: 1, difference });
            }
        }
        if let Ok(done) = &done {
            self.downsample_metrics.ended(source.thanos.downsample.resolution, done);
        }
        let ended = match done {
            Ok(Ok(JobDone::Uploaded { .. })) => {
                tracing::info!(from = %due.block, to = %id, "downsampled block");
                outcome.downsampled.push(id);
                Ok(())
            }
            Ok(Ok(JobDone::Empty)) => Ok(()),
            Ok(Err(error)) => self.not_downsampled(due, view, error, &folder, held, outcome).await,
            Err(failure) => Err(failure),
        };
        self.remove_folder(folder).await;
        ended
    }

    /// Sets a damaged block aside, or repairs it.
    async fn not_downsampled(
        &self,
        due: Due,
        view: &View,
        error: JobError,
        folder: &std::path::Path,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let block = due.block;
        let hint = match Trouble::from(error) {
            Trouble::Suspect(finding) => Some(*finding),
            Trouble::SuspectAll { .. } => None,
            Trouble::Gone(_) | Trouble::Disagreement(_) => return Ok(()),
            Trouble::Failed(failure) => return Err(failure),
        };
        let words = group_words(view, block);
        let during = During { from: From::Downsampling, group_words: &words, job: vec![block] };
        match self.resolve_block(block, hint, folder, held, &during, outcome).await? {
            Some(Resolved::Repaired(_) | Resolved::SetAside) | None => Ok(()),
        }
    }
}

/// The group of a block, in words.
fn group_words(view: &View, block: BlockId) -> String {
    let group = view.metas.get(&block).map(|meta| groups([Arc::clone(meta)]));
    group.and_then(|groups| groups.first().map(crate::plan::Group::words)).unwrap_or_default()
}

impl std::convert::From<JobError> for Trouble {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Download(error) => super::sources::of_download(error),
            JobError::Unsound { block, examination } => match judge(of_content(block, None, &examination)) {
                Verdict::Repair(findings) | Verdict::SetAside(findings) => {
                    let first = findings.into_iter().next();
                    first.map_or(Trouble::SuspectAll { difference: String::new() }, |first| {
                        Trouble::Suspect(Box::new(first))
                    })
                }
                Verdict::Sound => Trouble::SuspectAll { difference: String::new() },
            },
            JobError::Source(error) => error.into(),
            JobError::Write { source, .. } => source.into(),
            JobError::Output { difference, .. } => {
                Trouble::Failed(JobFailure::Output { sources: 1, difference })
            }
            JobError::Upload(error) => Trouble::Failed(JobFailure::Upload(error)),
            JobError::Disk { source, .. } => Trouble::Failed(JobFailure::Disk(source)),
        }
    }
}
