//! The call `Series`: blocks are chosen, read side by side, and merged.

use std::sync::Arc;

use futures::StreamExt;
use prom_model::Matcher;
use storeapi::thanos::SeriesRequest;
use storeapi::{Shard, hints};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::BucketStore;
use super::block::Block;
use super::call::{Call, Used};
use super::chunks::read_chunks;
use super::error::{During, ReadError};
use super::limits::{CallLimits, Limit};
use super::merge::Merge;
use super::metrics::of_tenant;
use super::postings::{Selected, select};
use super::request;
use super::select::without_external;
use super::series::{Heads, read_series};
use crate::{Context, Frames};
use ::block::index_header::IndexHeader;

/// Bytes of chunks that all blocks of a call together read ahead, about.
const AHEAD_BYTES: u64 = 8 << 20;
/// Of one block at once.
const CHUNK_BYTES: std::ops::Range<u64> = 64 << 10..4 << 20;
/// Series with chunks that all blocks of a call together read ahead, about.
const AHEAD_SERIES: usize = 16_384;
/// The same of series without chunks, which take little and are sent on at once.
const AHEAD_SERIES_ONLY: usize = 100_000;
/// Of each block there are two pieces: one goes out while the next is read.
const PIECES: usize = 2;
/// The fewest of one block.
const SERIES_MIN: usize = 512;

/// What a call asks of single blocks.
pub(super) struct Ask {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) skip_chunks: bool,
    pub(super) aggregates: Vec<storeapi::Aggregate>,
    pub(super) limit: i64,
    pub(super) removed: Vec<String>,
    pub(super) shard: Option<Shard>,
}

impl BucketStore {
    pub(super) async fn select_series(
        &self,
        request: SeriesRequest,
        context: Context,
    ) -> Result<Frames, Status> {
        let inner = &self.0;
        let turn = tokio::select! {
            turn = inner.gate.enter(inner.parts.clock.as_ref()) => turn?,
            () = context.cancel.cancelled() => return Err(Status::cancelled("context canceled")),
        };
        let matchers = request::matchers(&request.matchers, "")?;
        let (first, last) = self.times();
        let (min_time, max_time) = (request.min_time.max(first), request.max_time.min(last));
        let block_matchers = request::block_matchers(
            request.hints.as_ref(),
            "SeriesRequestHints",
            "series",
            |hints: hints::SeriesRequestHints| hints.block_matchers,
        )?;
        let mut wanted: Vec<(Arc<Block>, Arc<[Matcher]>)> = Vec::new();
        for set in &self.state().sets {
            let Some(matchers) = without_external(&matchers, &set.labels) else { continue };
            let matchers: Arc<[Matcher]> = matchers.into();
            let resolution = request.max_resolution_window;
            let is_wanted = |block: &Block| block.is_matched(&block_matchers);
            let blocks = set.covering(min_time, max_time, resolution, &is_wanted);
            wanted.extend(blocks.into_iter().map(|block| (block, Arc::clone(&matchers))));
        }
        let ask = Ask {
            min_time,
            max_time,
            skip_chunks: request.skip_chunks,
            aggregates: request::aggregates(&request.aggregates),
            limit: request.limit,
            removed: request::removed(request.without_replica_labels),
            shard: Shard::new(request.shard_info.as_ref()),
        };
        let call = Arc::new(self.call(ask, &context, wanted.len()));
        let start = call.now();
        let of = of_tenant(&call.tenant);
        call.metrics.blocks_queried.get_or_create(&of).observe(wanted.len() as f64);
        let mut tasks = JoinSet::new();
        let (mut sources, mut selecting) = (Vec::new(), Vec::new());
        for (block, matchers) in wanted {
            let (to, from) = mpsc::channel(1);
            let (tell, told) = oneshot::channel();
            sources.push((block.id, from));
            selecting.push((block.id, told));
            tasks.spawn(read_block(block, Arc::clone(&call), matchers, tell, to));
        }
        // As soon as one block fails, the tasks of the others end with `tasks`.
        let mut selecting: futures::stream::FuturesUnordered<_> = selecting
            .into_iter()
            .map(|(block, told)| async move { (block, told.await.unwrap_or(Err(ReadError::Stopped))) })
            .collect();
        while let Some((block, told)) = selecting.next().await {
            if let Err(error) = told {
                return Err(error.status(&format!("fetch postings for block {block}"), Code::Aborted));
            }
        }
        call.metrics.get_all.get_or_create(&of).observe(call.since(start));
        let merge = Merge::new(call, sources, tasks, turn);
        let cancel = context.cancel;
        let frames = futures::stream::unfold((merge, cancel), |(mut merge, cancel)| async move {
            let frame = tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                frame = merge.next() => frame?,
            };
            Some((frame, (merge, cancel)))
        });
        Ok(Box::pin(frames))
    }

    /// What the blocks of a call share.
    pub(super) fn call(&self, ask: Ask, context: &Context, blocks: usize) -> Call {
        let (parts, config) = (&self.0.parts, &self.0.config);
        let tenant = context.tenant.clone().unwrap_or_else(|| DEFAULT_TENANT.to_owned());
        let limit = |max, reason| Limit::new(max, parts.metrics.refused(reason, &tenant));
        let limits = CallLimits {
            series: limit(config.limits.series, "series"),
            chunks: limit(config.limits.chunks(), "chunks"),
            bytes: limit(config.limits.downloaded_bytes, "bytes"),
        };
        let pieces = blocks.max(1) * PIECES;
        let most = config.series_batch.max(1);
        let ahead = if ask.skip_chunks { AHEAD_SERIES_ONLY } else { AHEAD_SERIES };
        Call {
            min_time: ask.min_time,
            max_time: ask.max_time,
            skip_chunks: ask.skip_chunks,
            aggregates: ask.aggregates,
            series_max: usize::try_from(ask.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX),
            removed: ask.removed,
            shard: ask.shard,
            limits,
            budget: context.budget.clone(),
            tenant,
            bucket: Arc::clone(&parts.bucket),
            cache: Arc::clone(&parts.cache),
            metrics: parts.metrics.clone(),
            clock: Arc::clone(&parts.clock),
            used: Used::default(),
            series_batch: (ahead / pieces).clamp(SERIES_MIN.min(most), most),
            chunk_bytes: (AHEAD_BYTES / pieces as u64).clamp(CHUNK_BYTES.start, CHUNK_BYTES.end),
        }
    }
}

/// The tenant of calls that name none, in metrics.
const DEFAULT_TENANT: &str = "default-tenant";

async fn read_block(
    block: Arc<Block>,
    call: Arc<Call>,
    matchers: Arc<[Matcher]>,
    tell: oneshot::Sender<Result<(), ReadError>>,
    to: mpsc::Sender<Result<super::chunks::Piece, ReadError>>,
) {
    match choose(&block, &call, &matchers).await {
        Err(error) => drop(tell.send(Err(error))),
        Ok((header, selected)) => {
            let _ = tell.send(Ok(()));
            let (heads_to, heads) = mpsc::channel(1);
            let reading = read_series(Arc::clone(&block), header, Arc::clone(&call), selected, heads_to);
            tokio::join!(reading, read_chunks(block, call, heads, to));
        }
    }
}

/// Finds the series of a block, within the limit.
pub(super) async fn choose(
    block: &Arc<Block>,
    call: &Arc<Call>,
    matchers: &[Matcher],
) -> Result<(Arc<IndexHeader>, Selected), ReadError> {
    let header = block.header.get().await.during("load index header")?;
    let selected = select(block, &header, call, matchers).await.during("expanded matching posting")?;
    if selected.postings.is_empty() {
        call.metrics.empty_postings.get_or_create(&of_tenant(&call.tenant)).inc();
    }
    if selected.lazy.is_empty() {
        let series = selected.postings.len().min(call.series_max) as u64;
        call.limits.series.reserve(series, "exceeded series limit")?;
    }
    Ok((header, selected))
}

/// The series of a block without chunks, as they come.
pub(super) fn spawn_heads(
    tasks: &mut JoinSet<()>,
    block: Arc<Block>,
    header: Arc<IndexHeader>,
    call: Arc<Call>,
    selected: Selected,
) -> mpsc::Receiver<Result<Heads, ReadError>> {
    let (to, heads) = mpsc::channel(1);
    tasks.spawn(read_series(block, header, call, selected, to));
    heads
}
