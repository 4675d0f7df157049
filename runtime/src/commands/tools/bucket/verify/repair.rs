//! `verify --repair`: writes blocks anew where that loses no sample, and removes what was compacted twice.
//!
//! In this order: the block is copied to the backup bucket; the new block is written, examined and counted against the old one;
//! it is uploaded and read back from the bucket; only then the old one is marked or deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use block::findings::{Finding, Severity};
use block::{BlockId, DeletionDecision, DeletionMark, HashFunc, Meta, Source, StoreTime, decide_deletion};
use objstore::BucketRef;
use prom_model::{Clock, PromDuration};
use tracing::{error, info, warn};
use tsdb::block::ProblemKind;
use tsdb::fs::{Fs, RealFs};

use crate::commands::tools::bucket::Tool;
use crate::commands::tools::bucket::content::files;
use crate::commands::tools::bucket::put::{objects, put_checked};

/// A block whose samples are all in another one.
const TWICE: &str = "duplicated-compaction";
/// Goes when the other block does.
const OVERLAP: &str = "overlap";

/// How a repair is done.
pub(super) struct Repair<'a> {
    pub(super) tool: &'a Tool,
    pub(super) backup: BucketRef,
    pub(super) delete_delay: PromDuration,
    pub(super) dry_run: bool,
}

/// What is done about a block.
enum Remedy {
    Rebuild,
    Remove,
}

fn remedy(findings: &[&Finding]) -> Option<Remedy> {
    let is_twice = findings.iter().any(|finding| finding.code == TWICE);
    let mut rest =
        findings.iter().filter(|finding| finding.code != OVERLAP && finding.code != TWICE).peekable();
    if is_twice && rest.peek().is_none() {
        return Some(Remedy::Remove);
    }
    (rest.peek().is_some() && rest.all(|finding| finding.repairable)).then_some(Remedy::Rebuild)
}

impl Repair<'_> {
    /// Repairs what can be repaired; an error counts the blocks that are still bad.
    pub(super) async fn run(
        &self,
        findings: &[Finding],
        metas: &BTreeMap<BlockId, Meta>,
    ) -> anyhow::Result<()> {
        let mut of_block: BTreeMap<BlockId, Vec<&Finding>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Note) {
            of_block.entry(finding.block).or_default().push(finding);
        }
        let mut left = 0_u64;
        for (id, findings) in of_block {
            let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
            let reasons = codes.join(",");
            let (Some(remedy), Some(meta)) = (remedy(&findings), metas.get(&id)) else {
                warn!(msg = "cannot be repaired without loss; the block stays as it is", block = %id, reasons);
                left += 1;
                continue;
            };
            if self.dry_run {
                let what = match remedy {
                    Remedy::Rebuild => "back up, write anew under a new ULID, mark the old block",
                    Remedy::Remove => "back up, mark",
                };
                info!(msg = "dry run: would repair", block = %id, reasons, what);
                continue;
            }
            let done = match remedy {
                Remedy::Rebuild => self.rebuild(meta).await,
                Remedy::Remove => self.back_up_and_remove(id).await,
            };
            match done {
                Ok(()) => info!(msg = "block repaired", block = %id, reasons),
                Err(failure) => {
                    left += 1;
                    error!(msg = "block not repaired", block = %id, reasons, err = %format_args!("{failure:#}"));
                }
            }
        }
        match left {
            0 => Ok(()),
            left => bail!("{left} blocks are still bad"),
        }
    }

    async fn rebuild(&self, meta: &Meta) -> anyhow::Result<()> {
        let (id, new) = (meta.id(), self.tool.new_id());
        self.back_up(id).await?;
        let work = tempfile::tempdir().context("no temporary folder")?;
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let stored = objects(&self.tool.bucket, id).await?;
        let source = files(&self.tool.bucket, id, &stored, work.path()).await?;
        let (parent, target_fs, old) = (work.path().to_owned(), Arc::clone(&fs), meta.block.clone());
        let repaired = tokio::task::spawn_blocking(move || {
            let (from, to) = (old.min_time, old.max_time);
            // A range that is none would put every chunk outside of it.
            let (from, to) = if from < to { (from, to) } else { (i64::MIN, i64::MAX) };
            let examination = tsdb::block::examine(&source, from, to);
            let written = tsdb::block::repair(&source, &old, &examination, target_fs, &parent, new)?;
            anyhow::Ok((written.context("no sample would be left")?, examination))
        });
        let (written, examination) = repaired.await.context("repairing")??;
        let (samples, before) = (written.stats.num_samples, examination.counts.samples);
        let fewer_is_right = examination.problems.has(ProblemKind::ChunkDuplicate);
        if samples > before || (samples < before && !fewer_is_right) {
            bail!("the new block would have {samples} samples and not {before}; the old one stays as it is");
        }
        let mut repaired = meta.clone();
        repaired.block = written;
        repaired.thanos.source = Source::BucketRepair;
        let folder = work.path().join(new.to_string());
        put_checked(self.tool, &fs, &folder, repaired, HashFunc::None, false).await?;
        info!(msg = "uploaded repaired block", block = %id, new = %new);
        self.remove(id).await
    }

    async fn back_up_and_remove(&self, id: BlockId) -> anyhow::Result<()> {
        self.back_up(id).await?;
        self.remove(id).await
    }

    /// Copies the block and looks whether the backup has what the bucket has.
    async fn back_up(&self, id: BlockId) -> anyhow::Result<()> {
        block::replicate(&self.tool.bucket, self.backup.as_ref(), id).await.context("no backup")?;
        let (ours, theirs) = (objects(&self.tool.bucket, id).await?, objects(&self.backup, id).await?);
        let is_data = |name: &str| !name.ends_with("-mark.json");
        for (name, object) in ours.iter().filter(|(name, _)| is_data(name)) {
            if theirs.get(name).is_none_or(|copy| copy.size != object.size) {
                bail!("the backup of {name} is not there or has another size");
            }
        }
        info!(msg = "block is in the backup bucket", block = %id);
        Ok(())
    }

    async fn remove(&self, id: BlockId) -> anyhow::Result<()> {
        let (bucket, clock) = (&*self.tool.bucket, &self.tool.clock);
        block::write_mark(bucket, &DeletionMark::new(id, clock.now(), "manual verify-repair")).await?;
        if !self.delete_delay.is_zero() {
            info!(msg = "Marking block as deleted", id = %id);
            return Ok(());
        }
        let now = StoreTime::ask(bucket, clock).await?;
        if let DeletionDecision::Delete(plan) = decide_deletion(bucket, id, now, PromDuration::ZERO).await? {
            info!(msg = "Deleting block", id = %id);
            plan.run(bucket).await?;
        }
        Ok(())
    }
}
