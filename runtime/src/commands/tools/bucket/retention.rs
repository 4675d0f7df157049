//! `tools bucket retention`: marks blocks that are older than their resolution is kept.

use anyhow::bail;
use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks};
use block::{DeletionMark, Expired, Retention, go_duration};
use clap::Args;
use prom_model::{Clock, PromDuration};
use server::duration::GoDuration;
use tracing::{error, info, warn};

use super::Tool;
use super::fetch::fetch;
use crate::flags::prom_duration;
use crate::flags::selector::SelectorFlags;

/// Marks blocks for deletion that are older than their resolution is kept; let no compactor run meanwhile
#[derive(Args)]
pub(super) struct Flags {
    /// How long raw samples are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-raw", value_name = "DURATION", default_value = "0d")]
    raw: PromDuration,
    /// How long samples of a resolution of 5 minutes are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-5m", value_name = "DURATION", default_value = "0d")]
    five_minutes: PromDuration,
    /// How long samples of a resolution of 1 hour are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-1h", value_name = "DURATION", default_value = "0d")]
    one_hour: PromDuration,
    /// Time between a deletion mark and the deletion: blocks marked for longer than half of it are not looked at
    #[arg(long = "delete-delay", value_name = "DURATION", default_value = "48h")]
    delete_delay: GoDuration,
    /// Age that a fresh block must have before it is looked at
    #[arg(long = "consistency-delay", value_name = "DURATION", default_value = "30m")]
    consistency_delay: GoDuration,
    /// Objects that are read at the same time
    #[arg(long = "block-sync-concurrency", value_name = "NUMBER", default_value = "20")]
    concurrency: usize,
    #[command(flatten)]
    selector: SelectorFlags,
    /// Also mark blocks whose samples are in no coarser block yet, although coarser samples are kept longer (not in Thanos)
    #[arg(long = "ignore-lineage")]
    ignore_lineage: bool,
    /// Only say which blocks would be marked (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let retention = Retention { raw: flags.raw, five_minutes: flags.five_minutes, one_hour: flags.one_hour };
    for (samples, kept) in [
        ("raw samples", flags.raw),
        ("5 min aggregated samples", flags.five_minutes),
        ("1 hour aggregated samples", flags.one_hour),
    ] {
        if kept != PromDuration::ZERO {
            info!(
                msg = format!("retention policy of {samples} is enabled"),
                duration = go_duration(kept.as_millis())
            );
        }
    }
    let tool = &tool.with_concurrency(flags.concurrency);
    let filters: Vec<Box<dyn Filter>> = vec![
        Box::new(flags.selector.filter()?),
        Box::new(ConsistencyDelay(prom_duration(flags.consistency_delay)?)),
        Box::new(Duplicates),
        Box::new(IgnoreDeletionMarks(prom_duration(GoDuration(flags.delete_delay.0 / 2))?)),
    ];
    let blocks = fetch(tool, filters, super::FOREVER).await?;
    if !flags.dry_run {
        warn!(msg = "GLOBAL COMPACTOR SHOULD __NOT__ BE RUNNING ON THE SAME BUCKET");
    }
    let expired = retention.expired(blocks.metas.iter().map(AsRef::as_ref), tool.clock.now());
    let (mut marked, mut kept, mut failed) = (0_u64, 0_u64, 0_u64);
    for Expired { block: id, details, last_of_its_range } in expired {
        if blocks.view.deletion_marks.contains_key(&id) {
            continue;
        }
        if let Some(coarser) = last_of_its_range {
            let coarser = go_duration(coarser);
            if !flags.ignore_lineage {
                warn!(msg = "kept: no coarser block has these samples yet, and coarser samples are kept longer; downsample first, or give --ignore-lineage", id = %id, missing = coarser);
                kept += 1;
                continue;
            }
            warn!(msg = "the last samples of this range go", id = %id, missing = coarser);
        }
        if flags.dry_run {
            info!(msg = "dry run: would mark for deletion", id = %id, details);
            marked += 1;
            continue;
        }
        info!(msg = "applying retention: marking block for deletion", id = %id, details);
        match block::write_mark(&*tool.bucket, &DeletionMark::new(id, tool.clock.now(), details)).await {
            Ok(_) => marked += 1,
            Err(failure) => {
                failed += 1;
                error!(msg = "block not marked", id = %id, err = %format_args!("{:#}", anyhow::Error::from(failure)));
            }
        }
    }
    info!(msg = "optional retention apply done", marked, kept, failed);
    if failed > 0 {
        bail!("{failed} blocks could not be marked");
    }
    blocks.complain()
}
