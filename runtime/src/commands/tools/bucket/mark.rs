//! `tools bucket mark`: marks blocks for deletion, or against compaction and downsampling, and takes marks away.

use anyhow::{Context, bail};
use block::{
    DeletionMark, Mark, NoCompactMark, NoCompactReason, NoDownsampleMark, NoDownsampleReason, layout,
};
use clap::Args;
use futures::TryStreamExt;
use objstore::Listing;
use prom_model::Clock;
use tracing::{info, warn};
use tsdb::BlockId;

use super::Tool;

/// Marks blocks for deletion or against compaction or downsampling, or removes such a mark
#[derive(Args)]
pub(super) struct Flags {
    /// Block to mark (repeated)
    #[arg(long = "id", value_name = "ULID", required = true)]
    ids: Vec<BlockId>,
    /// Which mark
    #[arg(long = "marker", value_name = "FILE", required = true, value_parser = [layout::DELETION_MARK, layout::NO_COMPACT_MARK, layout::NO_DOWNSAMPLE_MARK])]
    marker: String,
    /// Why, in words that stand in the mark; required unless --remove is given
    #[arg(long = "details", value_name = "TEXT")]
    details: Option<String>,
    /// Remove the mark instead
    #[arg(long = "remove")]
    remove: bool,
    /// Only say what would be done (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let details = flags.details.as_deref().unwrap_or_default();
    if !flags.remove && details.is_empty() {
        bail!("--details is missing: say why, for those who find the mark");
    }
    let mut failed = 0_usize;
    for id in &flags.ids {
        let done = match flags.marker.as_str() {
            layout::DELETION_MARK => {
                let mark = DeletionMark::new(*id, tool.clock.now(), details);
                one(&flags, tool, &mark).await
            }
            layout::NO_COMPACT_MARK => {
                let mark = NoCompactMark::new(*id, tool.clock.now(), NoCompactReason::Manual, details);
                one(&flags, tool, &mark).await
            }
            _ => {
                let mark = NoDownsampleMark::new(*id, tool.clock.now(), NoDownsampleReason::Manual, details);
                one(&flags, tool, &mark).await
            }
        };
        if let Err(error) = done {
            failed += 1;
            tracing::error!(msg = "block not marked", marker = flags.marker, block = %id, err = %format_args!("{error:#}"));
        }
    }
    if failed > 0 {
        bail!("{failed} of {} blocks could not be handled", flags.ids.len());
    }
    let ids: Vec<String> = flags.ids.iter().map(BlockId::to_string).collect();
    info!(
        msg = if flags.remove { "removing marks done" } else { "marking done" },
        marker = flags.marker,
        IDs = ids.join(",")
    );
    Ok(())
}

async fn one<M: Mark>(flags: &Flags, tool: &Tool, mark: &M) -> anyhow::Result<()> {
    let (bucket, id) = (&*tool.bucket, mark.block());
    let name = layout::object(id, M::FILE);
    if flags.remove {
        if !bucket.exists(&name).await? {
            warn!(msg = "there is no such mark", marker = M::FILE, block = %id);
            return Ok(());
        }
        if flags.dry_run {
            info!(msg = "dry run: would delete", object = name);
            return Ok(());
        }
        block::remove_mark::<M>(bucket, id).await?;
        info!(msg = "mark removed", marker = M::FILE, block = %id);
        return Ok(());
    }
    // A mark alone would be a block that nobody can explain.
    let there = bucket.list(&layout::folder(id), Listing::Shallow).try_next().await?;
    there.with_context(|| format!("there is no block {id} in {}", bucket.name()))?;
    let found = block::read_mark::<M>(bucket, id).await?;
    if found.is_some() {
        warn!(msg = "the block is marked already; the mark stays as it is", marker = M::FILE, block = %id);
        return Ok(());
    }
    if flags.dry_run {
        info!(
            msg = "dry run: would write",
            object = name,
            details = flags.details.as_deref().unwrap_or_default()
        );
        return Ok(());
    }
    block::write_mark(bucket, mark).await?;
    info!(msg = "block marked", marker = M::FILE, block = %id);
    Ok(())
}
