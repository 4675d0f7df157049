//! The queue of compactions: all groups are gone through until nothing is left to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::findings::{Finding, Severity};
use block::{BlockId, Meta, View};
use futures::StreamExt;

use super::Compactor;
use super::claims::Claimed;
use super::error::{JobFailure, QueueError};
use super::execute::Done;
use super::health::{LEFT_OUT, SET_ASIDE, WAITED_FOR};
use super::outcome::{Outcome, Queue};
use super::suspects::{During, From, Resolved};
use super::views::{Judged, chain, index_sizes};
use crate::plan::{Group, Halt, Known, Next, groups};
use crate::quarantine::{code_of_reason, commands};

/// More passes than any bucket needs; what is left is done by the next run.
const PASSES_MAX: u64 = 100;
/// So many passes are made only because a group was not as it was seen.
const STALE_PASSES_MAX: u32 = 4;
/// More steps than any group needs in a pass.
const STEPS_MAX: usize = 10_000;

/// How a group ended.
#[derive(Debug, Default)]
struct GroupEnd {
    outcome: Outcome,
    halt: Option<Halt>,
    /// Whether another pass is worth it.
    again: bool,
    /// Whether it was not as it was seen.
    stale: bool,
}

impl Compactor {
    /// Compacts all groups until nothing is left to be done, and marks what compactions have left over.
    pub(super) async fn compact(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut stale = 0u32;
        for _ in 0..PASSES_MAX {
            match self.compaction_pass(&mut outcome, &mut stale).await {
                Ok(true) => {}
                Ok(false) => {
                    self.book().queue(Queue::Compaction, self.now(), None);
                    return outcome;
                }
                Err(error) => {
                    let words = chain(&error);
                    if let QueueError::Halt(_) = error {
                        outcome.halted = Some(words.clone());
                    } else {
                        self.metrics.retries.inc();
                    }
                    tracing::error!(error = words, "compaction failed");
                    self.book().queue(Queue::Compaction, self.now(), Some(words.clone()));
                    outcome.failures.push((Queue::Compaction, "all groups".to_owned(), words));
                    return outcome;
                }
            }
        }
        outcome
    }

    /// Goes through all groups once; whether it is worth to do so again.
    async fn compaction_pass(&self, outcome: &mut Outcome, stale: &mut u32) -> Result<bool, QueueError> {
        outcome.passes = outcome.passes.saturating_add(1);
        let view = self.views.fresh().await?;
        let deleted = self.delete_marked(&view, outcome).await;
        if let Err(error) = deleted {
            // Deletion is a queue of its own: compaction goes on.
            self.queue_failed(Queue::Deletion, &error, outcome);
        }
        self.collect_garbage(&view, outcome).await;
        let judged = Judged::of(&view);
        let groups = groups(view.metas.values().cloned());
        self.note(&view, &judged, &groups);
        let excluded = judged.excluded_from_compaction(&view);
        let index_bytes = index_sizes(&self.bucket, &view, self.config.meta_concurrency).await;
        let known = Known { excluded: &excluded, index_bytes: &index_bytes };
        let ends = groups.into_iter().map(|group| self.compact_group(group, &view, &judged, known));
        let mut ends = futures::stream::iter(ends).buffered(self.config.concurrency.max(1));
        let (mut again, mut is_stale, mut halt) = (false, false, None);
        while let Some(end) = ends.next().await {
            outcome.add(end.outcome);
            again |= end.again;
            is_stale |= end.stale;
            halt = halt.or(end.halt);
        }
        let failing = self.book().failing_groups();
        self.metrics.failing_groups.set(i64::try_from(failing).unwrap_or(i64::MAX));
        if is_stale {
            *stale = stale.saturating_add(1);
        }
        match halt {
            Some(halt) => Err(halt.into()),
            // A store whose listings are old is not asked without end.
            None => Ok(again || is_stale && *stale < STALE_PASSES_MAX),
        }
    }

    async fn compact_group(&self, group: Group, view: &View, judged: &Judged, known: Known<'_>) -> GroupEnd {
        let (key, resolution) = (group.key.clone(), group.resolution);
        let mut end = GroupEnd::default();
        if group.labels.is_empty() || self.backoff().is_paused(&key, self.now()) {
            return end;
        }
        self.metrics.group_started(resolution);
        let done = self.work_on(group, view, judged, known, &mut end).await;
        let now = self.now();
        match done {
            Ok(blocks) => {
                self.metrics.group_completed(resolution);
                self.backoff().succeeded(&key);
                self.book().group_done(&key, now, blocks);
            }
            Err(JobFailure::Halt(halt)) => {
                self.metrics.group_failed(resolution);
                end.halt = Some(halt);
            }
            Err(failure) => {
                self.metrics.group_failed(resolution);
                self.metrics.retries.inc();
                let words = chain(&failure);
                tracing::error!(
                    groupKey = key,
                    error = words,
                    "a group was not compacted and is tried again later"
                );
                let next = self.backoff().failed(&key, now);
                self.book().group_failed(&key, now, words.clone(), next);
                end.outcome.failures.push((Queue::Compaction, key, words));
            }
        }
        end
    }

    /// Works on a group until nothing is left to be done; gives how many blocks it has then.
    async fn work_on(
        &self,
        mut group: Group,
        view: &View,
        judged: &Judged,
        known: Known<'_>,
        end: &mut GroupEnd,
    ) -> Result<usize, JobFailure> {
        let mut excluded = known.excluded.clone();
        self.look_at_suspects(&mut group, view, judged, &mut excluded, end).await?;
        for _ in 0..STEPS_MAX {
            let step = self.planner.step(&group, Known { excluded: &excluded, ..known });
            for mark in &step.marks {
                let seen = group.blocks.iter().find(|meta| meta.id() == mark.block);
                if let Some(seen) = seen
                    && !self.is_as_seen(seen, view).await?
                {
                    end.stale = true;
                    return Ok(group.blocks.len());
                }
                self.mark_no_compact(mark.block, &mark.reason, &mark.details).await?;
                excluded.insert(mark.block);
            }
            let job = match step.next {
                Next::Nothing => return Ok(group.blocks.len()),
                Next::Halt(halt) => {
                    end.halt = Some(halt);
                    return Ok(group.blocks.len());
                }
                Next::Job(job) => job,
            };
            let done = match self.execute(&job, view, &mut end.outcome).await {
                Ok(done) => done,
                Err(failure @ JobFailure::OverBudget { .. }) => {
                    // It takes as much the next time. The others of the group need not wait for it.
                    let (blocks, queue) = (job.source_ids(), (Queue::Compaction, job.group.as_str()));
                    self.note_over_budget(queue, &blocks, &job.group_words, &failure, &mut end.outcome);
                    excluded.extend(blocks);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            match done {
                Done::Compacted(meta) => group.replace(&job.source_ids(), Some(meta)),
                Done::Emptied(gone) => group.replace(&gone, None),
                Done::SetAside(block) => drop(excluded.insert(block)),
                Done::Repaired(block, meta) => group.replace(&[block], Some(meta)),
                Done::Stale => {
                    // The next pass sees what has become of it.
                    end.stale = true;
                    return Ok(group.blocks.len());
                }
                Done::Taken => {
                    end.outcome.taken = end.outcome.taken.saturating_add(1);
                    return Ok(group.blocks.len());
                }
            }
            end.again = true;
        }
        Ok(group.blocks.len())
    }

    /// Notes that these blocks are left as they are, as the work would take too much.
    pub(super) fn note_over_budget(
        &self,
        (queue, what): (Queue, &str),
        blocks: &[BlockId],
        group_words: &str,
        failure: &JobFailure,
        outcome: &mut Outcome,
    ) {
        let words = chain(failure);
        tracing::error!(
            queue = queue.as_str(),
            what,
            group = group_words,
            error = words,
            "a job takes too much and is left undone"
        );
        let run = vec!["pronoiad compact --plan".to_owned()];
        let mut book = self.book();
        for block in blocks {
            let finding = Finding::new(*block, Severity::Note, "over-budget", words.clone());
            book.block(&finding, Some(group_words.to_owned()), LEFT_OUT, self.now(), run.clone());
        }
        outcome.failures.push((queue, what.to_owned(), words));
    }

    /// Looks at blocks whose metadata cannot be true before anything is done with their group.
    async fn look_at_suspects(
        &self,
        group: &mut Group,
        view: &View,
        judged: &Judged,
        excluded: &mut BTreeSet<BlockId>,
        end: &mut GroupEnd,
    ) -> Result<(), JobFailure> {
        let is_new = |id: &BlockId| judged.suspects.contains(id) && !view.no_compact_marks.contains_key(id);
        let suspects: Vec<Arc<Meta>> =
            group.blocks.iter().filter(|meta| is_new(&meta.id())).cloned().collect();
        for seen in suspects {
            let block = seen.id();
            if !self.is_as_seen(&seen, view).await? {
                excluded.insert(block);
                end.stale = true;
                continue;
            }
            let words = group.words();
            let during = During { from: From::Compaction, group_words: &words, job: vec![block] };
            let mut held = match self.claims.whole(&format!("repair-{block}")).await? {
                Claimed::Ours(held) => held,
                Claimed::Taken { .. } => continue,
            };
            let folder = self.compact_dir().join(&group.key).join(self.new_id().to_string());
            self.make_folder(&folder).await.map_err(JobFailure::Disk)?;
            let hint = judged.findings.iter().find(|finding| finding.block == block).cloned();
            let resolved = self.resolve_block(block, hint, &folder, &mut held, &during, &mut end.outcome);
            let resolved = resolved.await;
            self.remove_folder(folder).await;
            held.release().await;
            match resolved? {
                Some(Resolved::Repaired(mut meta)) => {
                    meta.thanos.labels.clone_from(&group.labels);
                    group.replace(&[block], Some(Arc::from(meta)));
                    end.again = true;
                }
                Some(Resolved::SetAside) => {
                    excluded.insert(block);
                    end.again = true;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Notes what is known of blocks and groups before anything is done.
    fn note(&self, view: &View, judged: &Judged, groups: &[Group]) {
        for group in groups {
            self.metrics.know(group);
        }
        let words: BTreeMap<&str, String> =
            groups.iter().map(|group| (group.key.as_str(), group.words())).collect();
        let set_aside: BTreeSet<BlockId> = view.no_compact_marks.keys().copied().collect();
        let now = self.now();
        let mut book = self.book();
        book.groups(groups, &set_aside);
        book.retain_blocks(now, |block| {
            view.metas.contains_key(&block)
                || view.dropped.contains_key(&block)
                || judged.findings.iter().any(|finding| finding.block == block)
        });
        let group_of = |block: &BlockId| {
            let key = view.metas.get(block).map(|meta| block::group_key(&meta.thanos));
            key.and_then(|key| words.get(key.as_str()).cloned())
        };
        let marker = block::layout::NO_COMPACT_MARK;
        for finding in judged.findings.iter().filter(|finding| !judged.suspects.contains(&finding.block)) {
            let block = finding.block;
            let action = if view.partial.contains_key(&block) { WAITED_FOR } else { LEFT_OUT };
            book.block(finding, group_of(&block), action, now, commands(block, marker));
        }
        // What this or another compactor has set aside before.
        for (block, mark) in &view.no_compact_marks {
            if let Some(code) = code_of_reason(&mark.reason)
                && !book.is_set_aside(*block)
            {
                let finding = Finding::new(*block, Severity::Damage, code, mark.details.as_str());
                book.block(&finding, group_of(block), SET_ASIDE, now, commands(*block, marker));
            }
        }
        self.metrics.set_aside.set(i64::try_from(book.set_aside()).unwrap_or(i64::MAX));
    }

    /// Notes that a queue failed on its whole.
    pub(super) fn queue_failed(&self, queue: Queue, error: &QueueError, outcome: &mut Outcome) {
        let words = chain(error);
        tracing::error!(queue = queue.as_str(), error = words, "a queue failed and is tried again later");
        self.metrics.retries.inc();
        self.book().queue(queue, self.now(), Some(words.clone()));
        outcome.failures.push((queue, "all".to_owned(), words));
    }
}
