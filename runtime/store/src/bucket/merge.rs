//! The series of several blocks become one sequence, in the order of their labels, each series once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use budget::Held;
use prom_model::TimestampMs;
use prometheus_client::metrics::histogram::Histogram;
use storeapi::{AggrChunk, Aggregate, Chunk, Series, SeriesFrame};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tsdb::BlockId;

use super::call::Call;
use super::chunks::Piece;
use super::error::ReadError;
use super::metrics::of_tenant;
use crate::{BATCH, BATCH_CHUNKS};

/// What a block sends.
pub(super) type From = mpsc::Receiver<Result<Piece, ReadError>>;

/// The answer to a call on its way.
pub(super) struct Merge {
    call: Arc<Call>,
    sources: Vec<Source>,
    /// The next series of each block; empty before the first.
    heap: BinaryHeap<Next>,
    begun: bool,
    ended: bool,
    left: usize,
    sent: u64,
    start: TimestampMs,
    chunk_bytes: Histogram,
    /// Their work ends with this.
    _tasks: JoinSet<()>,
    /// The turn at the gate.
    _turn: super::gate::Turn,
}

struct Source {
    block: BlockId,
    from: From,
    piece: std::vec::IntoIter<Series>,
    held: Option<Held>,
}

struct Next {
    series: Series,
    source: usize,
}

impl Merge {
    pub(super) fn new(
        call: Arc<Call>,
        sources: Vec<(BlockId, From)>,
        tasks: JoinSet<()>,
        turn: super::gate::Turn,
    ) -> Self {
        let source = |(block, from)| Source { block, from, piece: Vec::new().into_iter(), held: None };
        Merge {
            left: call.series_max,
            start: call.now(),
            chunk_bytes: call.metrics.sent_chunk_bytes.get_or_create_owned(&of_tenant(&call.tenant)),
            call,
            sources: sources.into_iter().map(source).collect(),
            heap: BinaryHeap::new(),
            begun: false,
            ended: false,
            sent: 0,
            _tasks: tasks,
            _turn: turn,
        }
    }

    /// The next frame; `None` at the end and after an error.
    pub(super) async fn next(&mut self) -> Option<Result<SeriesFrame, Status>> {
        if self.ended {
            return None;
        }
        match self.batch().await {
            Ok(batch) if batch.is_empty() => {
                self.ended = true;
                None
            }
            Ok(batch) => Some(Ok(SeriesFrame::Batch(batch))),
            Err(status) => {
                self.ended = true;
                Some(Err(status))
            }
        }
    }

    async fn batch(&mut self) -> Result<Vec<Series>, Status> {
        if !self.begun {
            for source in 0..self.sources.len() {
                self.advance(source).await?;
            }
            self.begun = true;
        }
        let mut batch = Vec::with_capacity(BATCH.min(self.left));
        let mut chunks = 0;
        while batch.len() < BATCH && chunks < BATCH_CHUNKS && self.left > 0 {
            let Some(Next { series, source }) = self.heap.pop() else { break };
            self.advance(source).await?;
            let series = self.with_alike(series).await?;
            if !self.call.skip_chunks {
                let bytes = series.encoded_len() - series.labels.as_wire().len();
                self.chunk_bytes.observe(bytes as f64);
            }
            chunks += series.chunks.len();
            batch.push(series);
            self.left -= 1;
            self.sent += 1;
        }
        Ok(batch)
    }

    /// The series with the chunks of all others of the same labels.
    async fn with_alike(&mut self, mut series: Series) -> Result<Series, Status> {
        let mut alone = true;
        while self.heap.peek().is_some_and(|next| next.series.labels == series.labels) {
            let Some(Next { series: other, source }) = self.heap.pop() else { break };
            series.chunks.extend(other.chunks);
            alone = false;
            self.advance(source).await?;
        }
        if !alone || !series.chunks.is_sorted_by(|one, next| one.min_time < next.min_time) {
            series.chunks.sort_by(compare);
            series.chunks.dedup_by(|next, one| compare(one, next) == Ordering::Equal);
        }
        Ok(series)
    }

    /// Puts the next series of a block into the heap.
    async fn advance(&mut self, at: usize) -> Result<(), Status> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        loop {
            if let Some(series) = source.piece.next() {
                self.heap.push(Next { series, source: at });
                return Ok(());
            }
            source.held = None;
            match source.from.recv().await {
                None => return Ok(()),
                Some(Ok(Piece { series, held })) => {
                    source.piece = series.into_iter();
                    source.held = Some(held);
                }
                Some(Err(error)) => {
                    return Err(error.status(&format!("receive series from {}", source.block), Code::Unknown));
                }
            }
        }
    }
}

impl Drop for Merge {
    fn drop(&mut self) {
        let (metrics, of) = (&self.call.metrics, of_tenant(&self.call.tenant));
        metrics.result_series.get_or_create(&of).observe(self.sent as f64);
        metrics.merge.get_or_create(&of).observe(self.call.since(self.start));
    }
}

/// The order of chunks of one series: by their times, then by what they are.
fn compare(one: &AggrChunk, other: &AggrChunk) -> Ordering {
    let rank = |chunk: Option<&Chunk>| chunk.map(|chunk| (chunk.encoding, chunk.data.clone()));
    (one.min_time, one.max_time).cmp(&(other.min_time, other.max_time)).then_with(|| {
        Aggregate::ALL
            .into_iter()
            .map(|aggregate| match (rank(one.parts.get(aggregate)), rank(other.parts.get(aggregate))) {
                // What is not there stands last.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (one, other) => one.cmp(&other),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

/// The heap gives the greatest, so the order is turned around.
impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        other.series.labels.cmp(&self.series.labels).then_with(|| other.source.cmp(&self.source))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}
