//! Marks blocks whose samples are all in another block: what a compaction has left that was interrupted before its last step.

mod contents;

pub(super) use contents::Apart;

use std::collections::BTreeMap;

use block::filter::is_covered;
use block::findings::{Finding, Severity};
use block::{BlockId, BlockState, DeletionMark, Meta, Source, View, group_key, layout, read_mark};

use super::Compactor;
use super::claims::{Claimed, Held};
use super::error::{JobFailure, QueueError};
use super::health::KEPT;
use super::outcome::{Outcome, Queue};
use super::views::chain;
use crate::verify::{
    Account, Compared, NotInBucket, Proof, Provenance, SourceRead, WhyNot, account_of_metas, look_in_bucket,
    may_mark_source,
};

impl Compactor {
    /// Marks the blocks that the view hides because another one holds what they hold, as far as that can be shown.
    pub(super) async fn collect_garbage(&self, view: &View, outcome: &mut Outcome) {
        let start = self.now();
        let hidden = view.dropped.iter().filter(|(block, state)| {
            **state == BlockState::Duplicate && !view.deletion_marks.contains_key(block)
        });
        let hidden: Vec<BlockId> = hidden.map(|(block, _)| *block).collect();
        let done = match hidden.is_empty() {
            true => Ok(()),
            false => self.mark_garbage(&hidden, view, outcome).await,
        };
        if let Err(failure) = done {
            self.metrics.garbage_failures.inc();
            self.queue_failed(Queue::Compaction, &QueueError::Claim(Box::new(failure)), outcome);
            return;
        }
        self.metrics.garbage_collections.inc();
        self.metrics.garbage_duration.observe(self.now().since(start).as_secs_f64().max(0.0));
    }

    async fn mark_garbage(
        &self,
        hidden: &[BlockId],
        view: &View,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let mut held = match self.claims.whole("garbage").await? {
            Claimed::Ours(held) => held,
            Claimed::Taken { .. } => return Ok(()),
        };
        let done = self.mark_garbage_under(hidden, view, &mut held, outcome).await;
        held.release().await;
        done
    }

    async fn mark_garbage_under(
        &self,
        hidden: &[BlockId],
        view: &View,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let mut of_output: BTreeMap<BlockId, Vec<Meta>> = BTreeMap::new();
        for block in hidden {
            let Some(meta) = self.read_meta(*block).await? else { continue };
            let whole = view.metas.values().find(|other| holds(other, &meta));
            if let Some(whole) = whole {
                of_output.entry(whole.id()).or_default().push(meta);
            }
        }
        for (id, parts) in of_output {
            let Some(output) = view.metas.get(&id) else { continue };
            // Nor does one that is to go itself: what it holds would go with it.
            if read_mark::<DeletionMark>(self.bucket.as_ref(), id).await?.is_some()
                || !self.says_the_same(output).await?
            {
                continue;
            }
            // A block that is not there whole stands for nothing.
            match look_in_bucket(self.bucket.as_ref(), id, &[]).await {
                Ok(_) => {}
                // Older versions list no files.
                Err(NotInBucket::NoFiles(_)) if self.has_files(id).await? => {}
                Err(error) => {
                    tracing::warn!(block = %id, error = chain(&error), "did not collect what a block holds");
                    continue;
                }
            }
            let metas: Vec<&Meta> = parts.iter().collect();
            for part in &metas {
                let known = stands_for(output, part, &metas);
                let known = match known {
                    Ok(()) => Ok(()),
                    Err(why) => self.holds_all_samples(output, part, held, why).await?,
                };
                match known {
                    Ok(()) => {
                        held.confirm().await?;
                        tracing::info!(block = %part.id(), "marking outdated block for deletion");
                        self.mark_for_deletion(part.id(), "outdated block", outcome).await?;
                        self.metrics.garbage_blocks.inc();
                    }
                    Err(why) => self.keep_garbage(part, id, &why),
                }
            }
        }
        Ok(())
    }

    /// Whether `output` holds all samples of `part`, by reading both, where nothing that was written down says so.
    async fn holds_all_samples(
        &self,
        output: &Meta,
        part: &Meta,
        held: &mut Held,
        why: String,
    ) -> Result<Result<(), String>, JobFailure> {
        let read = held.during(self.account_by_contents(output, part)).await?;
        Ok(match read {
            Ok(account) => may_mark_source(part, output, &proof(output, account, Compared::Equal))
                .map_err(|why| why.to_string()),
            Err(missing) => Err(format!("{why}; {missing}")),
        })
    }

    async fn has_files(&self, block: BlockId) -> Result<bool, JobFailure> {
        let first = tsdb::block::segment_name(0);
        Ok(self.bucket.exists(&layout::object(block, layout::INDEX)).await?
            && self.bucket.exists(&layout::object(block, &first)).await?)
    }

    fn keep_garbage(&self, part: &Meta, output: BlockId, why: &str) {
        let detail = format!(
            "block {output} was made of the same blocks, but it is not certain that it holds all samples: {why}"
        );
        let finding = Finding::new(part.id(), Severity::Note, "garbage-unproven", detail);
        tracing::warn!(block = %part.id(), output = %output, why, "kept a block that nobody sees");
        let run = vec![format!(
            "pronoiad tools bucket verify --id={} --id={output} --objstore.config-file=BUCKET",
            part.id()
        )];
        self.book().block(&finding, None, KEPT, self.now(), run);
    }
}

/// Whether `output` holds all samples of `part`, by what its compactor wrote, or the numbers in the metadata.
fn stands_for(output: &Meta, part: &Meta, parts: &[&Meta]) -> Result<(), String> {
    let of_ours = Provenance::of(output).and_then(|provenance| provenance.account);
    if let Some(account) = &of_ours
        && output.thanos.source == Source::CompactorRepair
    {
        // The metadata of a block that was repaired may have told lies: what was counted is what is true.
        return match (account.of(part.id()), account.balance()) {
            (Some(_), Ok(())) => Ok(()),
            (_, Err(imbalance)) => Err(imbalance.to_string()),
            (None, _) => Err(WhyNot::NotRead.to_string()),
        };
    }
    let account = match of_ours {
        Some(account) if account.of(part.id()).is_some() => Some(account),
        // It was made of what is made of the part.
        Some(_) => None,
        None => account_of_metas(output, parts),
    };
    let account = account.or_else(|| by_numbers(output, parts));
    let Some(account) = account else { return Err("nobody has counted its samples".to_owned()) };
    may_mark_source(part, output, &proof(output, account, Compared::NotAsked)).map_err(|why| why.to_string())
}

/// A proof by what was written down of a block that was seen whole in the bucket.
fn proof(output: &Meta, account: Account, compared: Compared) -> Proof {
    let samples = output.block.stats.num_samples;
    Proof { block: output.id(), account, problems: 0, samples, times: None, compared, in_bucket: true }
}

fn holds(whole: &Meta, part: &Meta) -> bool {
    let (sources, others) = (&part.block.compaction.sources, &whole.block.compaction.sources);
    whole.id() != part.id()
        && group_key(&whole.thanos) == group_key(&part.thanos)
        && is_covered(sources, others)
        && whole.block.min_time <= part.block.min_time
        && part.block.max_time <= whole.block.max_time
}

/// Of blocks that share no time, what the parts have is at most what the whole has: others of its sources may be gone already.
fn by_numbers(output: &Meta, parts: &[&Meta]) -> Option<Account> {
    let mut account = account_of(parts);
    let read = account.read.iter().map(|source| source.samples).fold(0, u64::saturating_add);
    let written = output.block.stats.num_samples;
    if read == 0 || read > written || account.overlaps() {
        return None;
    }
    account.written = written;
    // Whoever is gone had the rest.
    let rest = SourceRead {
        block: output.id(),
        min_time: output.block.max_time,
        max_time: output.block.max_time,
        samples: written.saturating_sub(read),
    };
    account.read.push(rest);
    Some(account)
}

fn account_of(parts: &[&Meta]) -> Account {
    let read = parts.iter().map(|meta| SourceRead::new(&meta.block, meta.block.stats.num_samples)).collect();
    Account { read, ..Account::default() }
}
