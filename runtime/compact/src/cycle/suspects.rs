//! A block that is suspected to be damaged: looked at, and repaired or set aside.

use std::path::Path;
use std::sync::Arc;

use block::findings::{Finding, Severity};
use block::{
    BlockId, Meta, NoCompactMark, NoCompactReason, NoDownsampleMark, NoDownsampleReason, layout, write_mark,
};

use super::Compactor;
use super::claims::Held;
use super::error::JobFailure;
use super::execute::Done;
use super::health::{REPAIRED, SET_ASIDE};
use super::outcome::Outcome;
use crate::plan::{Halt, Job};
use crate::quarantine::{
    Disagreement, EVIDENCE, Evidence, Repair, Verdict, commands, inspect, judge, no_compact_reason,
    reason_words, repair, write_evidence,
};
use crate::verify::look_in_bucket;

/// What a block is kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Compaction,
    Downsampling,
}

/// Who was working on a block.
#[derive(Debug, Clone)]
pub(super) struct During<'a> {
    pub(super) from: From,
    pub(super) group_words: &'a str,
    /// The blocks of the job.
    pub(super) job: Vec<BlockId>,
}

impl Compactor {
    /// Looks at a source of a job, and repairs it or sets it aside; `None` where nothing is wrong with it and nobody said so, or
    /// two readings of it do not agree.
    pub(super) async fn resolve(
        &self,
        job: &Job,
        block: BlockId,
        hint: Option<Finding>,
        folder: &Path,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<Option<Done>, JobFailure> {
        let during = During { from: From::Compaction, group_words: &job.group_words, job: job.source_ids() };
        let resolved = self.resolve_block(block, hint, folder, held, &during, outcome).await?;
        Ok(resolved.map(|resolved| match resolved {
            Resolved::SetAside => Done::SetAside(block),
            Resolved::Repaired(mut meta) => {
                // As it will be seen: without replica labels where these are taken away.
                meta.thanos.labels.clone_from(&job.labels);
                Done::Repaired(block, Arc::from(meta))
            }
        }))
    }

    /// Looks at a block, and repairs it or sets it aside.
    pub(super) async fn resolve_block(
        &self,
        block: BlockId,
        hint: Option<Finding>,
        folder: &Path,
        held: &mut Held,
        during: &During<'_>,
        outcome: &mut Outcome,
    ) -> Result<Option<Resolved>, JobFailure> {
        let bucket = self.bucket.as_ref();
        let look = |times: u32| {
            let looked = folder.join(format!("inspect-{block}-{times}"));
            async move { inspect(bucket, block, &self.fs, &looked, self.now()).await }
        };
        let mut inspected = held.during(look(1)).await??;
        let found = judge(inspected.findings.clone());
        if found != Verdict::Sound {
            // What one reading finds may be the reading's own fault.
            inspected = held.during(look(2)).await??;
            if judge(inspected.findings.clone()) != found {
                tracing::warn!(block = %block, "two readings of a block find different things; it is looked at again later");
                return Ok(None);
            }
        }
        let verdict = match (found, hint) {
            (Verdict::Sound, None) => return Ok(None),
            // Whoever could not use it knows why, and has tried twice.
            (Verdict::Sound, Some(hint)) => Verdict::SetAside(vec![hint]),
            (verdict, _) => verdict,
        };
        let findings = match verdict {
            Verdict::Repair(findings) => {
                let id = self.new_id();
                let how = Repair {
                    bucket,
                    fs: &self.fs,
                    clock: self.clock.as_ref(),
                    parent: folder,
                    id,
                    hash_func: self.config.hash_func,
                    concurrency: self.config.file_concurrency,
                    fence: held.fence(),
                };
                held.confirm().await?;
                match held.during(repair(inspected, &how)).await? {
                    Ok(Some(meta)) => {
                        self.repaired(block, &meta, &findings, held, during, outcome).await?;
                        return Ok(Some(Resolved::Repaired(Box::new(meta))));
                    }
                    Ok(None) => findings,
                    Err(failure) if failure.is_final() => {
                        tracing::warn!(block = %block, error = &failure as &dyn std::error::Error, "could not repair a block");
                        findings
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
            Verdict::SetAside(findings) => findings,
            Verdict::Sound => return Ok(None),
        };
        if self.config.halt_compat && during.from == From::Compaction {
            return Err(halt(block, during, &findings).into());
        }
        held.confirm().await?;
        self.set_aside(block, &findings, during, outcome).await?;
        Ok(Some(Resolved::SetAside))
    }

    /// A new block stands for a damaged one, which is marked.
    async fn repaired(
        &self,
        block: BlockId,
        new: &Meta,
        findings: &[Finding],
        held: &mut Held,
        during: &During<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        look_in_bucket(self.bucket.as_ref(), new.id(), &[]).await?;
        held.confirm().await?;
        self.mark_for_deletion(block, "source of repaired block", outcome).await?;
        self.metrics.repaired.inc();
        let reason = findings.first().map(|finding| finding.code.to_owned()).unwrap_or_default();
        outcome.repaired.push((block, new.id(), reason));
        if let Some(finding) = findings.first() {
            let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
            tracing::warn!(block = %block, new = %new.id(), reasons = codes.join(","), "repaired a block without loss");
            let group = Some(during.group_words.to_owned());
            self.book().block(finding, group, REPAIRED, self.now(), Vec::new());
        }
        Ok(())
    }

    /// Leaves a block alone from now on, in this compactor and all others.
    pub(super) async fn set_aside(
        &self,
        block: BlockId,
        findings: &[Finding],
        during: &During<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let Some(worst) = findings.first() else { return Ok(()) };
        let bucket = self.bucket.as_ref();
        let (marker, reason) = match during.from {
            From::Compaction => (layout::NO_COMPACT_MARK, reason_words(&no_compact_reason(worst.code))),
            From::Downsampling => (layout::NO_DOWNSAMPLE_MARK, worst.code.to_owned()),
        };
        let job = (during.group_words, during.job.clone());
        let evidence = Evidence::new(block, (marker, &reason), findings, job, self.now());
        write_evidence(bucket, &evidence).await?;
        let details = format!("{} (see {EVIDENCE})", details(findings));
        match during.from {
            From::Compaction => {
                let reason = no_compact_reason(worst.code);
                write_mark(bucket, &NoCompactMark::new(block, self.now(), reason, details.as_str())).await?;
            }
            From::Downsampling => {
                let reason = NoDownsampleReason::Other(worst.code.to_owned());
                write_mark(bucket, &NoDownsampleMark::new(block, self.now(), reason, details.as_str()))
                    .await?;
            }
        }
        tracing::error!(block = %block, group = during.group_words, reason, details, "set a damaged block aside");
        self.metrics.marked(marker, &reason);
        outcome.set_aside.push((block, reason));
        let group = Some(during.group_words.to_owned());
        let mut book = self.book();
        book.block(worst, group, SET_ASIDE, self.now(), commands(block, marker));
        self.metrics.set_aside.set(i64::try_from(book.set_aside()).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Leaves the block of the younger of two producers alone.
    pub(super) async fn set_aside_disagreement(
        &self,
        job: &Job,
        disagreement: &Disagreement,
        outcome: &mut Outcome,
    ) -> Result<(), JobFailure> {
        let finding =
            Finding::new(disagreement.younger, Severity::Damage, "overlap-unequal", disagreement.words());
        let during = During { from: From::Compaction, group_words: &job.group_words, job: job.source_ids() };
        self.set_aside(disagreement.younger, &[finding], &during, outcome).await
    }

    /// Writes a mark that the planner asks for.
    pub(super) async fn mark_no_compact(
        &self,
        block: BlockId,
        reason: &NoCompactReason,
        details: &str,
    ) -> Result<(), JobFailure> {
        let mark = NoCompactMark::new(block, self.now(), reason.clone(), details);
        write_mark(self.bucket.as_ref(), &mark).await?;
        self.metrics.marked(layout::NO_COMPACT_MARK, &reason_words(reason));
        tracing::warn!(block = %block, reason = reason_words(reason), details, "block has been marked for no compaction");
        Ok(())
    }
}

/// What became of a damaged block.
#[derive(Debug)]
pub(super) enum Resolved {
    SetAside,
    /// By the block of this metadata.
    Repaired(Box<Meta>),
}

/// Why nothing more is done where a damaged block stops everything.
fn halt(block: BlockId, during: &During<'_>, findings: &[Finding]) -> Halt {
    Halt::Damaged { group: during.group_words.to_owned(), block, found: details(findings) }
}

/// What was found, in words.
fn details(findings: &[Finding]) -> String {
    let words: Vec<String> =
        findings.iter().map(|finding| format!("{}: {}", finding.code, finding.detail)).collect();
    let mut words = words.join("; ");
    if let Some((end, _)) = words.char_indices().nth(1_000) {
        words.truncate(end);
        words.push('…');
    }
    words
}
