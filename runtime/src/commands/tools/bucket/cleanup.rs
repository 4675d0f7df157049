//! `tools bucket cleanup`: deletes blocks that were marked long enough ago, and uploads that nobody goes on with.

use anyhow::{Context, bail};
use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks};
use block::{
    DeletionDecision, DeletionError, DeletionPlan, PARTIAL_AGE, PartialUploads, StoreTime, decide_deletion,
};
use clap::Args;
use prom_model::PromDuration;
use server::duration::GoDuration;
use tracing::{debug, error, info, warn};

use super::Tool;
use super::fetch::fetch;
use crate::flags::prom_duration;
use crate::flags::selector::SelectorFlags;

/// Deletes blocks whose deletion mark is old enough, and uploads that were given up
#[derive(Args)]
pub(super) struct Flags {
    /// Time between a deletion mark and the deletion
    #[arg(long = "delete-delay", value_name = "DURATION", default_value = "48h")]
    delete_delay: GoDuration,
    /// Age that a fresh block must have before it is looked at; a block without meta.json is kept for 48h in any case
    #[arg(long = "consistency-delay", value_name = "DURATION", default_value = "30m")]
    consistency_delay: GoDuration,
    /// Objects that are read at the same time
    #[arg(long = "block-sync-concurrency", value_name = "NUMBER", default_value = "20")]
    concurrency: usize,
    #[command(flatten)]
    selector: SelectorFlags,
    /// Only say what would be deleted (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    let tool = &tool.with_concurrency(flags.concurrency);
    let bucket = &*tool.bucket;
    let delay = prom_duration(flags.delete_delay)?;
    let filters: Vec<Box<dyn Filter>> = vec![
        Box::new(flags.selector.filter()?),
        Box::new(ConsistencyDelay(prom_duration(flags.consistency_delay)?)),
        Box::new(IgnoreDeletionMarks(prom_duration(GoDuration(flags.delete_delay.0 / 2))?)),
        Box::new(Duplicates),
    ];
    info!(msg = "syncing blocks metadata");
    let blocks = fetch(tool, filters, super::FOREVER).await?;
    info!(msg = "synced blocks done");
    // Ages are judged by the clock that the objects carry; a rehearsal writes nothing, not even to ask for it.
    let now = match flags.dry_run {
        true => StoreTime::assume(&tool.clock),
        false => StoreTime::ask(bucket, &tool.clock).await.context("the age of objects cannot be judged")?,
    };
    let mut run = Cleanup { tool, dry_run: flags.dry_run, deleted: 0, failed: 0 };
    info!(msg = "started cleaning of aborted partial uploads");
    let partial = PartialUploads::new(PromDuration::ZERO);
    for id in blocks.view.partial.keys() {
        match partial.decide(bucket, *id, now).await {
            Ok(Some(plan)) => run.delete(&plan, "partially uploaded block").await,
            Ok(None) => debug!(msg = "not an upload that was given up", block = %id, age = %PARTIAL_AGE),
            Err(failure) => run.failure(&failure, id),
        }
    }
    info!(msg = "started cleaning of blocks marked for deletion");
    for id in blocks.view.deletion_marks.keys() {
        match decide_deletion(bucket, *id, now, delay).await {
            Ok(DeletionDecision::Delete(plan)) => run.delete(&plan, "block marked for deletion").await,
            Ok(DeletionDecision::NotYet { left }) => {
                info!(msg = "the mark is not old enough yet", block = %id, left = %left);
            }
            Ok(DeletionDecision::NotMarked) => warn!(msg = "the mark is gone, the block stays", block = %id),
            Err(failure) => run.failure(&failure, id),
        }
    }
    info!(msg = "cleanup done", deleted = run.deleted, failed = run.failed);
    if run.failed > 0 {
        bail!("{} blocks could not be deleted", run.failed);
    }
    blocks.complain()
}

struct Cleanup<'a> {
    tool: &'a Tool,
    dry_run: bool,
    deleted: u64,
    failed: u64,
}

impl Cleanup<'_> {
    async fn delete(&mut self, plan: &DeletionPlan, what: &str) {
        let id = plan.block;
        if self.dry_run {
            for object in &plan.objects {
                info!(msg = "dry run: would delete", block = %id, object);
            }
            self.deleted += 1;
            return;
        }
        match plan.run(&*self.tool.bucket).await {
            Ok(objects) => {
                info!(msg = format!("deleted {what}"), block = %id, objects);
                self.deleted += 1;
            }
            Err(failure) => self.failure(&failure, &id),
        }
    }

    fn failure(&mut self, failure: &DeletionError, id: &block::BlockId) {
        self.failed += 1;
        let cause = std::error::Error::source(failure).map(|cause| format!(": {cause}")).unwrap_or_default();
        error!(msg = "block not deleted", block = %id, err = format!("{failure}{cause}"));
    }
}
