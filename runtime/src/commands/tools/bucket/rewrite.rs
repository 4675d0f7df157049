//! `tools bucket rewrite`: writes blocks anew without some of their samples, or under other labels.

mod requests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use block::rebuild::{Change, Changes, Target, rebuild};
use block::{BlockId, DeletionMark, Download, HashFunc, Interval, Meta, Rewrite, Source};
use clap::Args;
use prom_model::Clock;
use tracing::{error, info, warn};
use tsdb::block::BlockReader;
use tsdb::fs::{Fs, RealFs};

use self::requests::{Requests, relabel_json};
use super::Tool;
use crate::commands::tools::output::Output;
use crate::flags::path_or_content::expanded_content;
use crate::flags::selector::relabel_rules;

/// Writes blocks anew without some of their samples, or under other labels; let no compactor run meanwhile
#[derive(Args)]
pub(super) struct Flags {
    /// Block to rewrite (repeated)
    #[arg(long = "id", value_name = "ULID", required = true)]
    ids: Vec<BlockId>,
    /// Folder for the blocks while they are worked on; each run has folders of its own in it
    #[arg(long = "tmp.dir", value_name = "DIR")]
    tmp_dir: Option<PathBuf>,
    /// Only print what would change, which is the default; --no-dry-run does it
    #[arg(long = "dry-run")]
    dry_run: bool,
    /// The blocks are Prometheus' alone: external labels are not needed
    #[arg(long = "prom-blocks")]
    prom_blocks: bool,
    /// Mark the original blocks for deletion once the new ones are in the bucket and were read back
    #[arg(long = "delete-blocks")]
    delete_blocks: bool,
    /// Hash that is written beside each file in meta.json: empty or SHA256
    #[arg(long = "hash-func", value_name = "FUNCTION", default_value = "", value_parser = ["", "SHA256"])]
    hash_func: String,
    /// YAML with what is deleted: a list of matchers, as in '{job="a"}', and intervals
    #[arg(long = "rewrite.to-delete-config", value_name = "YAML")]
    to_delete: Option<String>,
    /// File with what is deleted
    #[arg(long = "rewrite.to-delete-config-file", value_name = "FILE")]
    to_delete_file: Option<PathBuf>,
    /// YAML with relabelling rules for the series
    #[arg(long = "rewrite.to-relabel-config", value_name = "YAML")]
    to_relabel: Option<String>,
    /// File with relabelling rules for the series
    #[arg(long = "rewrite.to-relabel-config-file", value_name = "FILE")]
    to_relabel_file: Option<PathBuf>,
    /// Write every change to change.log in the folder of the new block, which is the default; not uploaded
    #[arg(long = "rewrite.add-change-log")]
    change_log: bool,
}

/// What stands in meta.json of the new blocks, and what is done for it.
struct Plan {
    changes: Changes,
    rewrite: Rewrite,
}

impl Plan {
    fn of(flags: &Flags) -> anyhow::Result<Self> {
        let flag = "rewrite.to-relabel-config";
        let relabel =
            match expanded_content(flag, flags.to_relabel.as_deref(), flags.to_relabel_file.as_ref())? {
                Some(yaml) => relabel_rules(flag, &yaml)?,
                None => Vec::new(),
            };
        let flag = "rewrite.to-delete-config";
        let requests =
            match expanded_content(flag, flags.to_delete.as_deref(), flags.to_delete_file.as_ref())? {
                Some(yaml) => Requests::parse(&yaml).with_context(|| format!("--{flag}"))?,
                None => Requests::default(),
            };
        if relabel.is_empty() && requests.is_empty() {
            bail!("nothing to do: give --rewrite.to-delete-config-file or --rewrite.to-relabel-config-file");
        }
        let rewrite = Rewrite {
            deletions_applied: requests.applied(),
            relabels_applied: relabel.iter().map(relabel_json).collect(),
            ..Rewrite::default()
        };
        Ok(Plan { changes: Changes { relabel, deletions: requests.into_requests() }, rewrite })
    }
}

/// Whether a switch that is on by default was switched off.
pub(super) fn is_on(matches: &clap::ArgMatches, name: &str) -> bool {
    !matches.try_get_one::<bool>(&format!("no-{name}")).ok().flatten().copied().unwrap_or_default()
}

pub(super) async fn run(mut flags: Flags, matches: &clap::ArgMatches, tool: &Tool) -> anyhow::Result<()> {
    flags.dry_run = is_on(matches, "dry-run");
    flags.change_log = is_on(matches, "rewrite.add-change-log");
    let plan = Plan::of(&flags)?;
    let tmp_dir = flags.tmp_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("pronoiad-rewrite"));
    let mut failed = 0_u64;
    for id in &flags.ids {
        if let Err(failure) = one(&flags, &plan, tool, *id, &tmp_dir).await {
            if failure.is::<crate::commands::tools::output::Closed>() {
                return Err(failure);
            }
            failed += 1;
            error!(msg = "block not rewritten", source = %id, err = %format_args!("{failure:#}"));
        }
    }
    if failed > 0 {
        bail!("{failed} of {} blocks could not be rewritten", flags.ids.len());
    }
    let ids: Vec<String> = flags.ids.iter().map(BlockId::to_string).collect();
    info!(msg = if flags.dry_run { "dry run finished" } else { "rewrite done" }, IDs = ids.join(","));
    Ok(())
}

/// Rewrites one block. In the end nothing is left on the disk but change.log.
async fn one(flags: &Flags, plan: &Plan, tool: &Tool, source: BlockId, tmp_dir: &Path) -> anyhow::Result<()> {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let new = tool.new_id();
    // A folder of this run: nothing that is in the other one is touched.
    let work = tmp_dir.join(new.to_string());
    fs.create_dir_all(&work).with_context(|| format!("--tmp.dir={}", tmp_dir.display()))?;
    let result = in_folder(flags, plan, tool, source, new, &work).await;
    for entry in fs.list(&work).unwrap_or_default().into_iter().filter(|entry| entry.is_dir) {
        if let Err(failure) = fs.remove_dir_all(&work.join(&entry.name)) {
            warn!(msg = "cannot remove a folder", folder = %work.join(&entry.name).display(), err = %failure);
        }
    }
    if !flags.change_log {
        let _ = fs.remove_dir_all(&work);
    }
    result
}

async fn in_folder(
    flags: &Flags,
    plan: &Plan,
    tool: &Tool,
    source: BlockId,
    new: BlockId,
    work: &Path,
) -> anyhow::Result<()> {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    info!(msg = "downloading block", source = %source);
    let folder = work.join("source");
    let download =
        Download { bucket: &*tool.bucket, block: source, fs: &fs, folder: folder.clone(), concurrency: 4 };
    let meta = download.run().await.with_context(|| format!("block {source} cannot be read"))?;
    let (changes, block_meta) =
        (plan.changes.clone(), tsdb::block::BlockMeta::new(new, meta.block.min_time, meta.block.max_time));
    let (parent, target_fs, dry_run) = (work.to_owned(), Arc::clone(&fs), flags.dry_run);
    info!(msg = "starting rewrite for block", source = %source, new = %new);
    let rebuilt = tokio::task::spawn_blocking(move || {
        let block = BlockReader::open(&*target_fs, &folder)?;
        let mut log = Vec::new();
        let target = (!dry_run).then(|| Target { fs: Arc::clone(&target_fs), parent: &parent, id: new });
        let stats = rebuild(&block, &changes, block_meta, target, |change| log.push(line(&change)))?;
        anyhow::Ok((stats, log))
    });
    let (stats, log) = rebuilt.await.context("rewriting")??;
    if flags.change_log {
        write_log(&fs, work, &log)?;
        info!(msg = "changelog will be available", file = %work.join("change.log").display());
    }
    if flags.dry_run {
        let mut output = Output::standard();
        log.iter().try_for_each(|change| output.line(&format!("{source} {change}")))?;
        output.finish()?;
        info!(msg = "dry run finished. Changes were printed to standard output", source = %source, changes = log.len());
        return Ok(());
    }
    if log.is_empty() {
        info!(msg = "nothing in the block is concerned; it stays as it is", source = %source);
        return Ok(());
    }
    if stats.is_none() {
        info!(msg = "no series is left, so there is no new block", source = %source);
    } else {
        upload(flags, plan, tool, &fs, &work.join(new.to_string()), meta).await?;
        info!(msg = "uploaded", source = %source, new = %new);
    }
    if flags.delete_blocks {
        let mark = DeletionMark::new(source, tool.clock.now(), "block rewritten");
        block::write_mark(&*tool.bucket, &mark).await.context("the new block is in the bucket, but")?;
        info!(msg = "block marked", source = %source);
    }
    Ok(())
}

async fn upload(
    flags: &Flags,
    plan: &Plan,
    tool: &Tool,
    fs: &Arc<dyn Fs>,
    folder: &Path,
    mut meta: Meta,
) -> anyhow::Result<()> {
    let written = block::read_local_meta(fs, folder.to_owned()).await??;
    let rewrite = Rewrite { sources: meta.block.compaction.sources.clone(), ..plan.rewrite.clone() };
    meta.thanos.rewrites.push(rewrite);
    meta.thanos.source = Source::BucketRewrite;
    meta.block.ulid = written.id();
    meta.block.stats = written.block.stats.clone();
    meta.block.compaction.sources = vec![written.id()];
    let hash_func = if flags.hash_func.is_empty() { HashFunc::None } else { HashFunc::Sha256 };
    super::put::put_checked(tool, fs, folder, meta, hash_func, flags.prom_blocks).await
}

/// A change as the original writes it.
fn line(change: &Change) -> String {
    let list = |intervals: &[Interval]| {
        let texts: Vec<String> = intervals
            .iter()
            .map(|interval| format!("{{{} {}}}", interval.min_time, interval.max_time))
            .collect();
        format!("[{}]", texts.join(" "))
    };
    match change {
        Change::Deleted { labels, intervals } => format!("Deleted {labels} {}", list(intervals)),
        Change::Relabelled { from, to } => format!("Relabelled {from} {to}"),
        Change::ChunkOnce { labels, min_time, max_time } => {
            format!("Deduplicated {labels} [{{{min_time} {max_time}}}]")
        }
    }
}

fn write_log(fs: &Arc<dyn Fs>, work: &Path, log: &[String]) -> anyhow::Result<()> {
    let path = work.join("change.log");
    let write = || {
        let mut file = fs.create(&path)?;
        for change in log {
            std::io::Write::write_all(&mut file, format!("{change}\n").as_bytes())?;
        }
        std::io::Write::flush(&mut file)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
