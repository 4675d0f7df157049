//! One compaction: sources are brought, merged, the result is read again and uploaded, and only then the sources are marked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::findings::Finding;
use block::{DeletionMark, IndexStats, Marked, Meta, Upload, View, layout, write_mark};
use tsdb::BlockId;
use tsdb::block::BlockReader;

use super::Compactor;
use super::claims::{Claimed, Held};
use super::error::JobFailure;
use super::outcome::Outcome;
use super::sources::{confirm, explain};
use super::trouble::Trouble;
use crate::blocking::aside;
use crate::merge::merge;
use crate::plan::{Job, Overlapping};
use crate::quarantine::disagreement;
use crate::verify::{
    Account, OnDisk, Proof, Provenance, ReadAgainError, WhyNot, look_in_bucket, may_mark_emptied,
    may_mark_source, read_again,
};
use crate::{Target, Written};

/// How often a job is done whose sources seem damaged one time and sound the next.
const ATTEMPTS: usize = 4;

/// What became of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// The sources are one block now.
    Compacted(Arc<Meta>),
    /// No sample was left of them; these were marked.
    Emptied(Vec<BlockId>),
    /// A source was set aside.
    SetAside(BlockId),
    /// A source was repaired.
    Repaired(BlockId, Arc<Meta>),
    /// The group is not as it was seen: somebody else works on it.
    Stale,
    /// Somebody else has claimed it.
    Taken,
}

/// What was made of the sources, on the disk.
struct Made {
    account: Account,
    /// The new block, and what was found in it when it was read again; `None` where no sample is left.
    block: Option<(Written, OnDisk)>,
}

impl Compactor {
    /// Does a job.
    pub(super) async fn execute(
        &self,
        job: &Job,
        view: &View,
        outcome: &mut Outcome,
    ) -> Result<Done, JobFailure> {
        let mut held = match self.claims.range(&job.group, job.range()).await? {
            Claimed::Ours(held) => held,
            Claimed::Taken { by } => {
                tracing::info!(group = job.group_words, by, "compaction is done by another compactor");
                return Ok(Done::Taken);
            }
        };
        let room = match self.room_for(job).await {
            Ok(room) => room,
            Err(failure) => {
                held.release().await;
                return Err(failure);
            }
        };
        let id = self.new_id();
        let folder = self.compact_dir().join(&job.group).join(id.to_string());
        let done = self.execute_in(job, view, id, &folder, &mut held, outcome).await;
        self.remove_folder(folder).await;
        drop(room);
        held.release().await;
        done
    }

    async fn execute_in(
        &self,
        job: &Job,
        view: &View,
        id: BlockId,
        folder: &Path,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<Done, JobFailure> {
        for meta in &job.sources {
            if !self.is_as_seen(meta, view).await? {
                return Ok(Done::Stale);
            }
        }
        let plan = job.source_ids();
        tracing::info!(group = job.group_words, groupKey = job.group, plan = ?plan, "compaction available and planned");
        // A source is set aside because of what the job says only if it says it twice: the first time the reading may be at fault.
        let mut doubted: Option<Option<Finding>> = None;
        for _ in 0..ATTEMPTS {
            let trouble = match held.during(self.make(job, id, folder)).await? {
                Ok(Made { account, block: Some((written, found)) }) => {
                    match self.objection(job, &written, &account, &found) {
                        None => {
                            return self.publish(job, folder, written, account, found, held, outcome).await;
                        }
                        Some(why) => Trouble::SuspectAll { difference: why.to_string() },
                    }
                }
                Ok(Made { account, block: None }) => {
                    match job.sources.iter().find_map(|source| may_mark_emptied(source, &account).err()) {
                        None => return self.emptied(job, held, outcome).await,
                        Some(why) => Trouble::SuspectAll { difference: why.to_string() },
                    }
                }
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Failed(failure) => return Err(failure),
                Trouble::Gone(block) => {
                    tracing::info!(group = job.group_words, block = %block, "a block is gone since the plan was made");
                    return Ok(Done::Stale);
                }
                Trouble::Disagreement(disagreement) if doubted.is_some() => {
                    held.confirm().await?;
                    self.set_aside_disagreement(job, &disagreement, outcome).await?;
                    return Ok(Done::SetAside(disagreement.younger));
                }
                Trouble::Disagreement(_) => doubted = Some(None),
                Trouble::Suspect(finding) => {
                    let said = *finding;
                    let hint = (doubted.as_ref() == Some(&Some(said.clone()))).then(|| said.clone());
                    if let Some(done) = self.resolve(job, said.block, hint, folder, held, outcome).await? {
                        return Ok(done);
                    }
                    doubted = Some(Some(said));
                }
                Trouble::SuspectAll { difference } => {
                    for meta in &job.sources {
                        if let Some(done) = self.resolve(job, meta.id(), None, folder, held, outcome).await? {
                            return Ok(done);
                        }
                    }
                    if doubted.is_some() {
                        return Err(JobFailure::Output { sources: job.sources.len(), difference });
                    }
                    doubted = Some(None);
                }
            }
            tracing::warn!(
                group = job.group_words,
                "a job has failed at sources that look sound, and is done again"
            );
        }
        let difference = "each attempt finds something else wrong with them".to_owned();
        Err(JobFailure::Output { sources: job.sources.len(), difference })
    }

    /// Makes the new block on the disk, and reads it again.
    async fn make(&self, job: &Job, id: BlockId, folder: &Path) -> Result<Made, Trouble> {
        self.make_folder(folder).await.map_err(JobFailure::Disk)?;
        let (blocks, files) = self.open_sources(job, folder).await?.split();
        let work = Work {
            sources: blocks,
            overlapping: job.overlapping,
            overlaps: self.config.overlaps,
            fs: Arc::clone(&self.fs),
            parent: folder.to_owned(),
            id,
            memory_bytes: self.config.memory_bytes,
            meta: job.output(id),
        };
        match aside(move || work.run()).await.map_err(JobFailure::Disk)? {
            Ok(made) => confirm(&files).await.map(|()| made),
            Err(trouble) => Err(explain(&files, trouble).await),
        }
    }

    /// Why the new block does not stand for all of its sources, before it is uploaded.
    fn objection(&self, job: &Job, written: &Written, account: &Account, found: &OnDisk) -> Option<WhyNot> {
        let output = describe(job, written);
        let proof = Proof { in_bucket: true, ..Proof::new(account.clone(), found) };
        job.sources.iter().find_map(|source| may_mark_source(source, &output, &proof).err())
    }

    /// Uploads the new block, looks at it in the bucket, and marks the sources.
    #[expect(clippy::too_many_arguments, reason = "all that is known of one job")]
    async fn publish(
        &self,
        job: &Job,
        folder: &Path,
        written: Written,
        account: Account,
        found: OnDisk,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<Done, JobFailure> {
        let id = written.meta.ulid;
        let bucket = self.bucket.as_ref();
        let mut meta = describe(job, &written);
        let provenance = Provenance { block: id, fence: held.fence(), account: Some(account.clone()) };
        provenance.write_to(&mut meta.thanos);
        held.confirm().await?;
        let upload = Upload {
            bucket,
            fs: &self.fs,
            folder: folder.join(id.to_string()),
            meta,
            clock: self.clock.as_ref(),
            hash_func: self.config.hash_func,
            concurrency: self.config.file_concurrency,
        };
        held.during(upload.run()).await??;
        let meta = held.during(look_in_bucket(bucket, id, &found.files)).await??;
        let proof = Proof { in_bucket: true, ..Proof::new(account, &found) };
        outcome.compacted.push(id);
        self.metrics.group_compacted(job.resolution, job.overlapping != Overlapping::No);
        tracing::info!(group = job.group_words, groupKey = job.group, result_block = %id, "compacted blocks");
        for source in &job.sources {
            may_mark_source(source, &meta, &proof)
                .map_err(|why| JobFailure::NotCovered { block: source.id(), source: why })?;
            held.confirm().await?;
            self.mark_for_deletion(source.id(), "source of compacted block", outcome).await?;
            self.metrics.garbage_blocks.inc();
        }
        Ok(Done::Compacted(Arc::new(meta)))
    }

    /// Marks sources of which nothing was left: all their samples were deleted, or they had none.
    async fn emptied(&self, job: &Job, held: &mut Held, outcome: &mut Outcome) -> Result<Done, JobFailure> {
        for source in &job.sources {
            held.confirm().await?;
            self.mark_for_deletion(source.id(), "source of compacted block", outcome).await?;
        }
        Ok(Done::Emptied(job.source_ids()))
    }

    /// Writes a deletion mark, unless there is one.
    pub(super) async fn mark_for_deletion(
        &self,
        block: BlockId,
        details: &str,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let mark = DeletionMark::new(block, self.now(), details);
        if write_mark(self.bucket.as_ref(), &mark).await? == Marked::Written {
            tracing::info!(block = %block, details, "block has been marked for deletion");
            self.metrics.marked(layout::DELETION_MARK, "");
            outcome.marked.push(block);
        }
        Ok(())
    }
}

/// The part of a job that needs no bucket.
struct Work {
    sources: Vec<BlockReader>,
    overlapping: Overlapping,
    overlaps: crate::merge::Overlaps,
    fs: Arc<dyn tsdb::fs::Fs>,
    parent: PathBuf,
    id: BlockId,
    memory_bytes: u64,
    meta: tsdb::block::BlockMeta,
}

impl Work {
    fn run(self) -> Result<Made, Trouble> {
        if self.overlapping == Overlapping::IfEqual
            && let Some(disagreement) = disagreement(&self.sources)?
        {
            return Err(Trouble::Disagreement(disagreement));
        }
        let target = Target {
            fs: Arc::clone(&self.fs),
            parent: &self.parent,
            id: self.id,
            memory_bytes: self.memory_bytes,
        };
        let merged = merge(&self.sources, self.overlaps, &target, self.meta)?;
        let account = merged.samples;
        let Some(written) = merged.block else { return Ok(Made { account, block: None }) };
        let folder = self.parent.join(self.id.to_string());
        let found = read_again(self.fs.as_ref(), &folder).map_err(|error| match error {
            ReadAgainError::Disk { source, .. } => Trouble::Failed(JobFailure::Disk(source)),
            ReadAgainError::Damaged(corruption) => Trouble::SuspectAll { difference: corruption.to_string() },
        })?;
        Ok(Made { account, block: Some((written, found)) })
    }
}

/// What the new block is to say of itself.
fn describe(job: &Job, written: &Written) -> Meta {
    let mut thanos = job.thanos();
    thanos.index_stats = IndexStats {
        series_max_size: i64::try_from(written.series_max_bytes).unwrap_or(i64::MAX),
        chunk_max_size: i64::try_from(written.chunk_max_bytes).unwrap_or(i64::MAX),
        ..IndexStats::default()
    };
    Meta { block: written.meta.clone(), thanos }
}
