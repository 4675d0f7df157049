//! `tools bucket verify`: names everything that is wrong with the blocks of a bucket, in one pass, and repairs what loses nothing.

mod repair;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, bail};
use block::findings::{self, Finding, Severity};
use block::survey::{Survey, SurveyedBlock};
use clap::Args;
use futures::StreamExt;
use prom_model::{Clock, PromDuration};
use prometheus_client::registry::Registry;
use tracing::{info, warn};
use tsdb::BlockId;

use self::repair::Repair;
use self::report::Report;
use super::Tool;
use super::content::examine;
use super::open::open;
use crate::commands::tools::progress::Progress;
use crate::flags::objstore::BackupFlags;

/// Index, chunks and tombstones of each block.
const INDEX: &str = "index_known_issues";
/// Blocks of one group that share time.
const OVERLAPS: &str = "overlapped_blocks";
/// The same compaction done twice.
const DUPLICATES: &str = "duplicated_compaction";
/// meta.json, marks, and the list of files; not in Thanos.
const METADATA: &str = "metadata";

/// Names everything that is wrong with the blocks of the bucket, and repairs what can be repaired without loss
#[derive(Args)]
pub(super) struct Flags {
    /// Repair what can be repaired without losing a sample; needs a backup bucket, and no compactor may run
    #[arg(short = 'r', long = "repair")]
    repair: bool,
    /// What is looked for (repeated); metadata is not in Thanos
    #[arg(short = 'i', long = "issues", value_name = "ISSUE", default_values = [METADATA, INDEX, OVERLAPS, DUPLICATES], value_parser = [METADATA, INDEX, OVERLAPS, DUPLICATES])]
    issues: Vec<String>,
    /// Only this block (repeated)
    #[arg(long = "id", value_name = "ULID")]
    ids: Vec<BlockId>,
    #[command(flatten)]
    backup: BackupFlags,
    /// Time between the mark and the deletion of a block that was repaired; 0s deletes it at once
    #[arg(long = "delete-delay", value_name = "DURATION", default_value = "0s")]
    delete_delay: PromDuration,
    /// Shape of the output (not in Thanos)
    #[arg(long = "output", value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    output: String,
    /// What makes the exit code 1: damage, also defects, also notes, or nothing (not in Thanos)
    #[arg(long = "fail-on", value_name = "SEVERITY", default_value = "defect", value_parser = ["damage", "defect", "note", "never"])]
    fail_on: String,
    /// Blocks that are examined at the same time; 0 for as many as there are cores (not in Thanos)
    #[arg(long = "concurrency", value_name = "NUMBER", default_value = "0")]
    concurrency: usize,
    /// Only say what --repair would do (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

impl Flags {
    fn looks_for(&self, issue: &str) -> bool {
        self.issues.iter().any(|wanted| wanted == issue)
    }

    /// What makes the exit code 1.
    fn threshold(&self) -> Option<Severity> {
        match self.fail_on.as_str() {
            "damage" => Some(Severity::Damage),
            "defect" => Some(Severity::Defect),
            "note" => Some(Severity::Note),
            _ => None,
        }
    }
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let backup = flags.backup.yaml()?;
    if flags.repair && backup.is_none() {
        bail!(
            "--repair needs a bucket that keeps the blocks as they were: give --objstore-backup.config-file=FILE"
        );
    }
    info!(msg = "Starting verify task", verifiers = flags.issues.join(","));
    let wanted: BTreeSet<BlockId> = flags.ids.iter().copied().collect();
    // Overlaps of a block are found among all others.
    let all = wanted.is_empty() || flags.looks_for(OVERLAPS) || flags.looks_for(DUPLICATES);
    let survey = Survey::of_bucket(&*tool.bucket, tool.concurrency, |id| all || wanted.contains(&id))
        .await
        .with_context(|| format!("the blocks of {} cannot be listed", tool.bucket.name()))?;
    let absent: Vec<String> =
        wanted.iter().filter(|id| !survey.blocks.contains_key(id)).map(BlockId::to_string).collect();
    if !absent.is_empty() {
        bail!("there is no block {} in {}", absent.join(", "), tool.bucket.name());
    }
    let (marked, in_use): (BTreeMap<_, _>, BTreeMap<_, _>) =
        survey.blocks.iter().partition(|(_, block)| block.deletion.mark().is_some());
    let selected: Vec<(BlockId, &SurveyedBlock)> = in_use
        .iter()
        .map(|(id, block)| (**id, *block))
        .filter(|(id, _)| wanted.is_empty() || wanted.contains(id))
        .collect();
    let mut found = Vec::new();
    if flags.looks_for(METADATA) {
        let now = tool.clock.now();
        found.extend(selected.iter().flat_map(|(id, block)| findings::of_block(*id, block, now)));
    }
    let metas = || {
        let usable = in_use.values().filter_map(|block| block.meta());
        usable.filter(|meta| !meta.thanos.labels.is_empty())
    };
    let mut between = Vec::new();
    if flags.looks_for(OVERLAPS) {
        between.extend(findings::overlaps(metas()));
    }
    if flags.looks_for(DUPLICATES) {
        between.extend(findings::duplicates(metas()));
    }
    found.extend(between.into_iter().filter(|one| wanted.is_empty() || wanted.contains(&one.block)));
    if flags.looks_for(INDEX) {
        found.extend(contents(&flags, tool, &selected).await?);
    }
    found.sort();
    let found = one_for_each_code(found);
    let report =
        Report { bucket: tool.bucket.name(), blocks: selected.len(), marked: marked.len(), findings: found };
    report.print(&flags.output)?;
    if report.blocks == 0 {
        warn!(msg = "no block was looked at", bucket = report.bucket);
    }
    if marked.is_empty() {
        info!(msg = "verify task completed", blocks = report.blocks);
    } else {
        info!(
            msg = "verify task completed",
            blocks = report.blocks,
            marked_for_deletion_and_not_looked_at = marked.len()
        );
    }
    if let Some(backup) = backup.filter(|_| flags.repair) {
        if !flags.dry_run {
            warn!(msg = "GLOBAL COMPACTOR SHOULD __NOT__ BE RUNNING ON THE SAME BUCKET");
        }
        let repair = Repair {
            tool,
            backup: open("objstore-backup.config", &backup, &mut Registry::default())?,
            delete_delay: flags.delete_delay,
            dry_run: flags.dry_run,
        };
        let metas = selected.iter().filter_map(|(id, block)| Some((*id, block.meta()?.clone())));
        return repair.run(&report.findings, &metas.collect()).await;
    }
    report.outcome(flags.threshold())
}

/// What is found of one kind in one block is one finding: a missing file, for example, is found in the list of objects, and
/// again when it is to be read.
fn one_for_each_code(found: Vec<Finding>) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match out.last_mut() {
            Some(last) if (last.block, last.code) == (finding.block, finding.code) => {
                last.detail.push_str("; ");
                last.detail.push_str(&finding.detail);
                last.repairable &= finding.repairable;
            }
            _ => out.push(finding),
        }
    }
    out
}

async fn contents(
    flags: &Flags,
    tool: &Tool,
    selected: &[(BlockId, &SurveyedBlock)],
) -> anyhow::Result<Vec<Finding>> {
    let concurrency = match flags.concurrency {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    // Without an index there is nothing to go by; that it is missing was told from the list of objects.
    let readable: Vec<_> = selected
        .iter()
        .filter(|(_, block)| block.objects.contains_key(block::layout::INDEX) || block.meta().is_some())
        .collect();
    let progress = Progress::over("blocks", readable.len() as u64);
    let mut examined = futures::stream::iter(readable)
        .map(|(id, block)| {
            let progress = &progress;
            async move {
                let meta = block.meta();
                // A range that is none would put every chunk outside of it.
                let range = meta
                    .map(|meta| (meta.block.min_time, meta.block.max_time))
                    .filter(|(from, to)| from < to)
                    .unwrap_or((i64::MIN, i64::MAX));
                let examination = examine(Arc::clone(&tool.bucket), *id, &block.objects, range).await;
                progress.step();
                match examination {
                    Ok(examination) => findings::of_content(*id, meta, &examination),
                    Err(error) => {
                        let detail = format!("{error:#}");
                        vec![Finding::new(*id, Severity::Damage, "unavailable", detail)]
                    }
                }
            }
        })
        .buffer_unordered(concurrency);
    let mut found = Vec::new();
    while let Some(one) = examined.next().await {
        found.extend(one);
    }
    drop(examined);
    progress.finish();
    Ok(found)
}
