//! The older answer of a remote read: one compressed message with samples, which are put into chunks again.

mod chunks;

use std::error::Error;

use budget::BudgetExceeded;
use bytes::BytesMut;
use futures::StreamExt;
use prost::Message;
use reqwest::Response;
use storeapi::prometheus::{ReadResponse, TimeSeries};
use storeapi::{LabelBytes, Series, SeriesFrame};
use tonic::{Code, Status};

use super::client::line;
use super::streamed::Outgoing;
use crate::{BATCH, Context, Frames};

/// A frame has no more bytes than this, but for a chunk that is larger alone.
const FRAME_BYTES: usize = 1 << 20;

/// An answer that cannot be read. The texts are those of Thanos.
#[derive(Debug, thiserror::Error)]
enum SampledError {
    #[error("copy response")]
    Copy(#[source] reqwest::Error),
    #[error("decompress response")]
    Decompress(#[source] snap::Error),
    #[error("unmarshal response")]
    Unmarshal(#[source] prost::DecodeError),
    #[error("unexpected result size {0}")]
    Results(usize),
    #[error(transparent)]
    Histogram(#[from] prom_model::HistogramError),
    #[error(transparent)]
    Memory(#[from] BudgetExceeded),
}

impl From<SampledError> for Status {
    fn from(error: SampledError) -> Self {
        let code = match error {
            SampledError::Memory(_) => Code::ResourceExhausted,
            _ => Code::Unknown,
        };
        Status::new(code, line(&error as &dyn Error))
    }
}

/// The answer as frames of the StoreAPI, sorted.
pub(super) async fn rechunk(
    answer: Response,
    outgoing: Outgoing,
    context: &Context,
) -> Result<Frames, Status> {
    let mut held = context.budget.hold("an answer of samples");
    let mut compressed = BytesMut::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| SampledError::Copy(error.without_url()))?;
        held.resize(compressed.len() + piece.len()).map_err(SampledError::Memory)?;
        compressed.extend_from_slice(&piece);
    }
    let length = snap::raw::decompress_len(&compressed).map_err(SampledError::Decompress)?;
    // The bytes, and the messages that are made of them.
    held.resize(compressed.len() + length.saturating_mul(3)).map_err(SampledError::Memory)?;
    let series = tokio::task::spawn_blocking(move || read(&compressed, &outgoing))
        .await
        .map_err(|error| Status::internal(error.to_string()))??;
    let series = futures::stream::iter(split(series)).map(move |batch| {
        let _held = &held;
        Ok(SeriesFrame::Batch(batch))
    });
    Ok(series.boxed())
}

fn read(compressed: &[u8], outgoing: &Outgoing) -> Result<Vec<Series>, SampledError> {
    let bytes = snap::raw::Decoder::new().decompress_vec(compressed).map_err(SampledError::Decompress)?;
    let mut response = ReadResponse::decode(bytes.as_slice()).map_err(SampledError::Unmarshal)?;
    drop(bytes);
    let results = response.results.len();
    let (Some(result), 1) = (response.results.pop(), results) else {
        return Err(SampledError::Results(results));
    };
    let mut list = Vec::with_capacity(result.timeseries.len());
    for series in result.timeseries {
        let labels = outgoing.relabel.apply(labels(&series));
        if outgoing.shard.as_ref().is_some_and(|shard| !shard.has(&labels)) {
            continue;
        }
        if series.samples.is_empty() && series.histograms.is_empty() {
            tracing::warn!(lset = ?labels, "found timeseries without any chunk");
            continue;
        }
        list.push(Series { labels, chunks: chunks::chunks(&series)? });
    }
    list.sort_by(|one, two| one.labels.cmp(&two.labels));
    Ok(list)
}

fn labels(series: &TimeSeries) -> LabelBytes {
    let mut pairs: Vec<(&[u8], &[u8])> =
        series.labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())).collect();
    pairs.sort_unstable();
    LabelBytes::from_pairs(pairs)
}

/// Batches of a bounded size; a series with many chunks is split.
fn split(series: Vec<Series>) -> impl Iterator<Item = Vec<Series>> {
    let mut parts = series.into_iter().flat_map(parts).peekable();
    std::iter::from_fn(move || {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH {
            let fits = |next: &Series| bytes == 0 || bytes + next.encoded_len() <= FRAME_BYTES;
            let Some(next) = parts.next_if(fits) else { break };
            bytes += next.encoded_len();
            batch.push(next);
        }
        (!batch.is_empty()).then_some(batch)
    })
}

fn parts(series: Series) -> impl Iterator<Item = Series> {
    let labels = series.labels;
    let mut chunks = series.chunks.into_iter().peekable();
    std::iter::from_fn(move || {
        let (mut part, mut bytes) = (Vec::new(), 0);
        let size = |chunk: &storeapi::AggrChunk| {
            chunk.parts.iter().map(|(_, chunk)| chunk.data.len()).sum::<usize>()
        };
        while let Some(chunk) = chunks.next_if(|chunk| bytes == 0 || bytes + size(chunk) <= FRAME_BYTES) {
            bytes += size(&chunk) + 1;
            part.push(chunk);
        }
        (!part.is_empty()).then(|| Series { labels: labels.clone(), chunks: part })
    })
}
