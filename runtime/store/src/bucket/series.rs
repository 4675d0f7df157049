//! The series of a block, batch by batch: read from pages of the index, turned into labels, in order.

mod decoder;
mod order;
mod pages;

use std::ops::Range;
use std::sync::Arc;

use block::index_header::IndexHeader;
use budget::Held;
use storeapi::LabelBytes;
use tokio::sync::mpsc;
use tsdb::index::{ChunkMeta, Postings};

use super::block::Block;
use super::call::Call;
use super::error::{During, ReadError};
use super::metrics::of_tenant;
use super::postings::Selected;
use decoder::{Decoded, Decoder};
use order::Order;
use pages::Pages;

/// Series of a block whose chunks are still to be read.
#[derive(Debug)]
pub(super) struct Heads {
    /// In the order of their labels, over all batches.
    pub(super) list: Vec<Head>,
    /// The chunks of all of them.
    pub(super) chunks: Vec<ChunkMeta>,
    /// Of what they take; given back when the batch is done with.
    pub(super) _held: Held,
}

/// One series.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) labels: LabelBytes,
    /// Where its chunks are in those of the batch.
    pub(super) chunks: Range<usize>,
}

/// What a series costs beside labels and chunks.
const HEAD_BYTES: usize = size_of::<Head>();

/// Reads the series of a block and sends them on.
pub(super) async fn read_series(
    block: Arc<Block>,
    header: Arc<IndexHeader>,
    call: Arc<Call>,
    selected: Selected,
    to: mpsc::Sender<Result<Heads, ReadError>>,
) {
    let reader = Reader { block, header, call, to };
    if let Err(error) = reader.read(selected).await {
        // Nobody may be there to hear it any more.
        let _ = reader.to.send(Err(error)).await;
    }
}

struct Reader {
    block: Arc<Block>,
    header: Arc<IndexHeader>,
    call: Arc<Call>,
    to: mpsc::Sender<Result<Heads, ReadError>>,
}

impl Reader {
    async fn read(&self, selected: Selected) -> Result<(), ReadError> {
        let call = &self.call;
        let (lazily, postings) = (!selected.lazy.is_empty(), Arc::new(selected.postings));
        let mut decoder = {
            let (header, block, call) = (Arc::clone(&self.header), Arc::clone(&self.block), Arc::clone(call));
            let made = move || Decoder::new(&header, &block, &call, selected.lazy);
            Some(tokio::task::spawn_blocking(made).await.map_err(|_| ReadError::Stopped)??)
        };
        let mut order = Order::new(decoder.as_ref().is_some_and(Decoder::keeps_order));
        let mut waiting = call.budget.hold("series to be sorted");
        let (mut at, mut sent) = (0, 0);
        while at < postings.len() && sent < call.series_max {
            // Nothing is read before there is room for it.
            let Ok(place) = self.to.reserve().await else { return Ok(()) };
            let end = postings.len().min(at + call.series_batch);
            let (decoded, back) = self.batch(&postings, at..end, decoder.take()).await?;
            decoder = Some(back);
            at = end;
            if !call.skip_chunks {
                call.limits.chunks.reserve(decoded.chunks.len() as u64, "exceeded chunks limit")?;
            }
            if lazily {
                call.limits.series.reserve(decoded.list.len() as u64, "exceeded series limit")?;
            }
            let held = order.held_bytes() + decoded.held_bytes();
            waiting.resize(held)?;
            if let Some(ready) = order.push(decoded) {
                sent += ready.list.len();
                place.send(Ok(self.heads(ready)?));
            }
            waiting.resize(order.held_bytes())?;
        }
        let rest = order.finish();
        if !rest.list.is_empty() {
            let rest = self.heads(rest)?;
            let _ = self.to.send(Ok(rest)).await;
        }
        Ok(())
    }

    fn heads(&self, decoded: Decoded) -> Result<Heads, ReadError> {
        let mut held = self.call.budget.hold("series");
        held.resize(decoded.held_bytes())?;
        let Decoded { list, chunks, .. } = decoded;
        Ok(Heads { list, chunks, _held: held })
    }

    /// Reads and decodes the series at these places of the postings.
    async fn batch(
        &self,
        postings: &Arc<Postings>,
        places: Range<usize>,
        decoder: Option<Decoder>,
    ) -> Result<(Decoded, Decoder), ReadError> {
        let call = &self.call;
        let start = call.now();
        let mut decoder = decoder.ok_or(ReadError::Stopped)?;
        let mut pages = Pages::read(&self.block, &self.header, call, postings, places.clone()).await;
        let mut done = Decoded::default();
        let mut next = places.start;
        let mut last: Option<Range<u64>> = None;
        loop {
            let source = pages.during("preload series")?;
            let work = {
                let (postings, end) = (Arc::clone(postings), places.end);
                move || {
                    let outcome = decoder.decode(&source, &postings, next..end, &mut done);
                    (outcome, decoder, done, source)
                }
            };
            let (outcome, back, batch, source) =
                tokio::task::spawn_blocking(work).await.map_err(|_| ReadError::Stopped)?;
            (decoder, done) = (back, batch);
            match outcome.during("read series")? {
                None => break,
                Some(short) => {
                    // The bytes were read, and the index ends before them.
                    if last.as_ref() == Some(&short.range) {
                        return Err(ReadError::from(short.corruption).during("read series"));
                    }
                    last = Some(short.range.clone());
                    call.metrics.series_refetches.get_or_create(&of_tenant(&call.tenant)).inc();
                    next = short.place;
                    pages = source.more(&self.block, call, short.range).await;
                }
            }
        }
        call.metrics.series_fetch.get_or_create(&of_tenant(&call.tenant)).observe(call.since(start));
        Ok((done, decoder))
    }
}
