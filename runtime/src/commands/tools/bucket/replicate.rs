//! `tools bucket replicate`: copies blocks to another bucket, once or for ever.

mod matchers;
mod metrics;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use block::filter::{Filter, IgnoreDeletionMarks};
use block::{Meta, Replicated};
use clap::Args;
use objstore::BucketRef;
use prom_model::{Clock, Matcher, PromDuration};
use prometheus_client::registry::Registry;
use server::duration::GoDuration;
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use tsdb::BlockId;

use self::matchers::parse_matchers;
use self::metrics::ReplicateMetrics;
use super::Tool;
use super::fetch::fetch;
use super::open::open;
use crate::commands::stop_on_signal;
use crate::flags::HttpFlags;
use crate::flags::objstore::TargetFlags;
use crate::flags::selector::TimeRangeFlags;

/// Copies blocks to another bucket
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    http: HttpFlags,
    #[command(flatten)]
    to: TargetFlags,
    /// Only blocks of this resolution: 0s, 5m, 1h (repeated)
    #[arg(long = "resolution", value_name = "DURATION", default_values = ["0s", "5m", "1h"])]
    resolutions: Vec<GoDuration>,
    /// Only blocks of at least this compaction level
    #[arg(long = "compaction-min", value_name = "LEVEL", default_value = "1")]
    compaction_min: i64,
    /// Only blocks of at most this compaction level
    #[arg(long = "compaction-max", value_name = "LEVEL", default_value = "4")]
    compaction_max: i64,
    /// Only blocks of these compaction levels (repeated); instead of --compaction-min and --compaction-max
    #[arg(long = "compaction", value_name = "LEVEL")]
    compactions: Vec<i64>,
    /// Only blocks whose external labels match, as in cluster="eu",team=~"a|b"
    #[arg(long = "matcher", value_name = "MATCHERS", default_value = "")]
    matcher: String,
    /// Copy what is there and end
    #[arg(long = "single-run")]
    single_run: bool,
    #[command(flatten)]
    time: TimeRangeFlags,
    /// Only this block, whatever the other flags select (repeated); one run
    #[arg(long = "id", value_name = "ULID")]
    ids: Vec<BlockId>,
    /// Leave out blocks that are marked for deletion
    #[arg(long = "ignore-marked-for-deletion")]
    ignore_marked: bool,
    /// Only say which blocks would be copied (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

/// Pause between two runs.
const PAUSE: Duration = Duration::from_secs(60);

/// Which blocks are copied.
struct Selection {
    ids: BTreeSet<BlockId>,
    matchers: Vec<Matcher>,
    resolutions: Vec<i64>,
    levels: Vec<i64>,
}

impl Selection {
    fn of(flags: &Flags) -> anyhow::Result<Self> {
        if flags.compactions.is_empty() && flags.compaction_min > flags.compaction_max {
            bail!("--compaction-min must be less than or equal to --compaction-max");
        }
        let levels = match flags.compactions.as_slice() {
            // Levels are small numbers; a larger bound selects the same blocks.
            [] => (flags.compaction_min.max(-1000)..=flags.compaction_max.min(1000)).collect(),
            given => given.to_vec(),
        };
        let millis = |resolution: &GoDuration| i64::try_from(resolution.0.as_millis()).unwrap_or(i64::MAX);
        Ok(Selection {
            ids: flags.ids.iter().copied().collect(),
            matchers: parse_matchers(&flags.matcher).context("--matcher")?,
            resolutions: flags.resolutions.iter().map(millis).collect(),
            levels,
        })
    }

    fn takes(&self, meta: &Meta) -> bool {
        if meta.thanos.labels.is_empty() {
            error!(msg = "filtering block", reason = "labels should not be empty", block_uuid = %meta.id());
            return false;
        }
        if !self.ids.is_empty() {
            return self.ids.contains(&meta.id());
        }
        let labels = meta.thanos.external_labels();
        self.matchers.iter().all(|matcher| matcher.matches_labels(&labels))
            && self.resolutions.contains(&meta.thanos.downsample.resolution.0)
            && self.levels.contains(&meta.block.compaction.level)
    }
}

pub(super) async fn run(flags: Flags, tool: Tool, mut registry: Registry) -> anyhow::Result<()> {
    let selection = Selection::of(&flags)?;
    let to = open("objstore-to.config", &flags.to.yaml()?, &mut Registry::default())?;
    let metrics = ReplicateMetrics::register(&mut registry);
    if flags.single_run || !flags.ids.is_empty() || flags.dry_run {
        return once(&flags, &selection, &tool, &to, &metrics).await;
    }
    let server = flags.http.listen().await?;
    info!(msg = "listening for requests", service = "http/server", address = %server.address());
    let (probe, stop) = (Probe::new(), CancellationToken::new());
    let signals = stop_on_signal(stop.clone())?;
    probe.set_ready(true);
    let grace = flags.http.grace();
    let serving = tokio::spawn(server.run(Router::new(), Metrics::new(registry), probe, stop.clone(), grace));
    while !stop.is_cancelled() {
        let start = tool.clock.now();
        let result = tokio::select! {
            () = stop.cancelled() => break,
            result = once(&flags, &selection, &tool, &to, &metrics) => result,
        };
        metrics.ran(result.is_ok(), tool.clock.now().since(start).as_secs_f64());
        match result {
            Ok(()) => info!(msg = "ran replication successfully"),
            Err(failure) => error!(msg = "running replication failed", err = %format_args!("{failure:#}")),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    serving.await.context("HTTP server")??;
    signals.abort();
    Ok(())
}

async fn once(
    flags: &Flags,
    selection: &Selection,
    tool: &Tool,
    to: &BucketRef,
    metrics: &ReplicateMetrics,
) -> anyhow::Result<()> {
    let mut filters: Vec<Box<dyn Filter>> = vec![Box::new(flags.time.filter())];
    if flags.ignore_marked {
        filters.push(Box::new(IgnoreDeletionMarks(PromDuration::ZERO)));
    }
    let blocks = fetch(tool, filters, super::FOREVER).await?;
    for id in blocks.view.partial.keys() {
        info!(msg = "block meta not uploaded yet. Skipping.", block_uuid = %id);
    }
    let mut metas: Vec<Arc<Meta>> =
        blocks.metas.iter().filter(|meta| selection.takes(meta)).map(Arc::clone).collect();
    // The oldest first: the target's compactor must not find a gap.
    metas.sort_by_key(|meta| (meta.block.min_time, meta.id()));
    for id in selection.ids.iter().filter(|id| metas.iter().all(|meta| meta.id() != **id)) {
        warn!(msg = "there is no such block to copy", block_uuid = %id);
    }
    let mut failed = 0_u64;
    for meta in metas {
        let id = meta.id();
        if flags.dry_run {
            info!(msg = "dry run: would copy unless it is there", block_uuid = %id);
            continue;
        }
        match block::replicate(&tool.bucket, to.as_ref(), id).await {
            Ok(Replicated::AlreadyThere) => {
                debug!(msg = "skipping block as already replicated", block_uuid = %id);
                metrics.already.inc();
            }
            Ok(Replicated::Copied { objects, bytes }) => {
                info!(msg = "block replicated", block_uuid = %id, objects, bytes);
                metrics.blocks.inc();
                metrics.objects.inc_by(objects.saturating_sub(1));
            }
            Err(failure) => {
                failed += 1;
                error!(msg = "block not replicated", block_uuid = %id, err = %format_args!("{:#}", anyhow::Error::from(failure)));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} blocks could not be copied");
    }
    let missing = selection.ids.iter().filter(|id| blocks.metas.iter().all(|meta| meta.id() != **id)).count();
    if missing > 0 {
        bail!("{missing} of the blocks given with --id could not be found");
    }
    blocks.complain()
}
