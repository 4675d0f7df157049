//! The chunks of series: read in few requests, checked, and handed on as slices of what was read.

use std::ops::Range;
use std::sync::Arc;

use budget::Held;
use bytes::Bytes;
use storeapi::{AggrChunk, Aggregate, Chunk, Parts, Series};
use tokio::sync::mpsc;
use tsdb::block::{decode_chunk, segment_name};
use tsdb::chunk::{self, AggregateChunk, Encoding};
use tsdb::encoding::At;
use tsdb::index::{ChunkMeta, ChunkRef};
use tsdb::{Corruption, Fault, Section};

use super::block::Block;
use super::call::Call;
use super::error::{During, ReadError};
use super::fetch::{Fetched, fetch, join, total};
use super::metrics::of_tenant;
use super::series::{Head, Heads};

/// Series that are ready to be sent.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) series: Vec<Series>,
    /// Of what the series take; given back when they are sent.
    pub(super) held: Held,
}

/// So many series go on together at most.
const PIECE_SERIES: usize = 2048;
/// After so many others get their turn.
const TURN_SERIES: usize = 256;

/// Reads the chunks of the series that come, and sends them on.
pub(super) async fn read_chunks(
    block: Arc<Block>,
    call: Arc<Call>,
    mut from: mpsc::Receiver<Result<Heads, ReadError>>,
    to: mpsc::Sender<Result<Piece, ReadError>>,
) {
    while let Some(heads) = from.recv().await {
        let mut heads = match heads {
            Ok(heads) => heads,
            Err(error) => {
                let _ = to.send(Err(error)).await;
                return;
            }
        };
        let usual = block.chunk_bytes();
        let mut list = std::mem::take(&mut heads.list).into_iter().peekable();
        while list.peek().is_some() {
            // Nothing is read before there is room for it.
            let Ok(place) = to.reserve().await else { return };
            let mut group: Vec<Head> = Vec::new();
            let mut bytes = 0;
            while group.len() < PIECE_SERIES && bytes < call.chunk_bytes {
                let Some(head) = list.next() else { break };
                bytes +=
                    heads.chunks.get(head.chunks.clone()).map_or(0, |chunks| likely_bytes(chunks, usual));
                group.push(head);
            }
            let piece = match call.skip_chunks {
                true => without_chunks(&call, group),
                false => with_chunks(&block, &call, group, &heads.chunks).await.during("load chunks"),
            };
            let failed = piece.is_err();
            place.send(piece);
            if failed {
                return;
            }
        }
    }
}

/// How many bytes the chunks of a series take: known but for the last one.
fn likely_bytes(chunks: &[ChunkMeta], usual: u64) -> u64 {
    let places = chunks.first().zip(chunks.last()).map(|(first, last)| (first.reference, last.reference));
    let known = places.filter(|(first, last)| first.segment() == last.segment());
    let known = known.map_or(0, |(first, last)| last.offset().saturating_sub(first.offset()));
    u64::from(known) + usual.min(512)
}

fn without_chunks(call: &Call, group: Vec<Head>) -> Result<Piece, ReadError> {
    let mut held = call.budget.hold("series");
    held.resize(group.iter().map(|head| head.labels.as_wire().len() + size_of::<Series>()).sum())?;
    let series = group.into_iter().map(|head| Series { labels: head.labels, chunks: Vec::new() });
    Ok(Piece { series: series.collect(), held })
}

async fn with_chunks(
    block: &Block,
    call: &Call,
    group: Vec<Head>,
    metas: &[ChunkMeta],
) -> Result<Piece, ReadError> {
    let of = |head: &Head| metas.get(head.chunks.clone()).unwrap_or_default();
    let start = call.now();
    let mut places: Vec<ChunkRef> =
        group.iter().flat_map(|head| of(head).iter().map(|chunk| chunk.reference)).collect();
    places.sort_unstable();
    places.dedup();
    let count = places.len() as u64;
    let mut held = call.budget.hold("chunks");
    let mut segments = Segments::default();
    let mut bytes = 0;
    for places in places.chunk_by(|one, next| one.segment() == next.segment()) {
        let Some(first) = places.first() else { continue };
        let parts = join(ranges(places, block.chunk_bytes()));
        bytes += total(&parts);
        call.limits.bytes.reserve(total(&parts), "exceeded bytes limit while fetching chunks")?;
        held.resize(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let object = block.segment_object(first.segment());
        let fetched = fetch(call.bucket.as_ref(), &object, &parts).await.during("read range")?;
        segments.0.push((first.segment(), fetched));
    }
    call.used.chunks.touch(count, bytes);
    call.used.chunks.fetch(count, bytes);
    let mut series = Vec::with_capacity(group.len());
    for (at, head) in group.into_iter().enumerate() {
        if at % TURN_SERIES == TURN_SERIES - 1 {
            tokio::task::yield_now().await;
        }
        let mut chunks = Vec::with_capacity(head.chunks.len());
        for meta in of(&head) {
            let (encoding, data) = read_one(block, call, &mut segments, &mut held, meta.reference).await?;
            let parts = parts(meta.reference, encoding, &data, &call.aggregates).during("populate chunk")?;
            chunks.push(AggrChunk { min_time: meta.min_time, max_time: meta.max_time, parts });
        }
        series.push(Series { labels: head.labels, chunks });
    }
    call.metrics.chunks_fetch.get_or_create(&of_tenant(&call.tenant)).observe(call.since(start));
    Ok(Piece { series, held })
}

/// Where chunks of one segment lie: each to where the next begins, but not further than usual.
fn ranges(places: &[ChunkRef], usual: u64) -> impl Iterator<Item = Range<u64>> {
    places.iter().enumerate().map(move |(at, place)| {
        let start = u64::from(place.offset());
        let next = places.get(at + 1).map_or(u64::MAX, |next| u64::from(next.offset()));
        start..next.min(start.saturating_add(usual))
    })
}

/// What was read, by segment.
#[derive(Debug, Default)]
struct Segments(Vec<(u32, Fetched)>);

/// Encoding and data of a chunk; reads more of it where it is longer than expected.
async fn read_one(
    block: &Block,
    call: &Call,
    segments: &mut Segments,
    held: &mut Held,
    reference: ChunkRef,
) -> Result<(u8, Bytes), ReadError> {
    let offset = u64::from(reference.offset());
    let missing = match segments.0.iter().find(|(segment, _)| *segment == reference.segment()) {
        None => 1,
        Some((_, fetched)) => match fetched.piece(offset) {
            None => 1,
            Some((piece, skip)) => match decode(piece, skip, offset) {
                Ok(chunk) => return Ok(chunk),
                Err(At { fault: Fault::Short { missing }, .. }) => {
                    missing.saturating_add((piece.len() - skip) as u64)
                }
                Err(at) => return Err(of_segment(reference, at).into()),
            },
        },
    };
    call.metrics.chunk_refetches.get_or_create(&of_tenant(&call.tenant)).inc();
    // The first try may only have told how long it is.
    let mut length = missing.max(16);
    for _ in 0..2 {
        call.limits.bytes.reserve(length, "exceeded bytes limit while fetching chunks")?;
        held.grow(usize::try_from(length).unwrap_or(usize::MAX))?;
        let object = block.segment_object(reference.segment());
        let bytes = call.bucket.get_range(&object, offset, length).await.during("read range")?;
        call.used.chunks.fetch(0, bytes.len() as u64);
        match decode(&bytes, 0, offset) {
            Ok(chunk) => return Ok(chunk),
            Err(At { fault: Fault::Short { missing }, .. }) if bytes.len() as u64 == length => {
                length = length.saturating_add(missing);
            }
            Err(at) => return Err(of_segment(reference, at).into()),
        }
    }
    let fault = Fault::Short { missing: length };
    Err(of_segment(reference, At { offset, fault }).into())
}

fn decode(piece: &Bytes, skip: usize, offset: u64) -> Result<(u8, Bytes), At> {
    let (chunk, _) = decode_chunk(piece.get(skip..).unwrap_or(&[]), offset)?;
    Ok((chunk.encoding, piece.slice_ref(chunk.data)))
}

fn of_segment(reference: ChunkRef, at: At) -> Corruption {
    let file = segment_name(reference.segment()).into();
    Corruption { file, section: Section::Chunk, offset: at.offset, fault: at.fault }
}

/// What is sent of a chunk.
fn parts(
    reference: ChunkRef,
    encoding: u8,
    data: &Bytes,
    aggregates: &[Aggregate],
) -> Result<Parts, ReadError> {
    if let Some(encoding) = on_the_wire(encoding) {
        return Ok(Parts::One(Aggregate::Raw, Chunk::hashed(encoding, data.clone())));
    }
    if encoding != Encoding::Aggregate.as_u8() {
        return Err(ReadError::Encoding(encoding));
    }
    let whole = AggregateChunk::new(data).map_err(|source| ReadError::Chunk { chunk: reference, source })?;
    let mut parts = Vec::new();
    for aggregate in aggregates {
        let stored = match aggregate {
            Aggregate::Raw => continue,
            Aggregate::Count => chunk::Aggregate::Count,
            Aggregate::Sum => chunk::Aggregate::Sum,
            Aggregate::Min => chunk::Aggregate::Min,
            Aggregate::Max => chunk::Aggregate::Max,
            Aggregate::Counter => chunk::Aggregate::Counter,
        };
        let part = whole.get(stored).ok_or(ReadError::NoAggregate(stored.as_str()))?;
        let encoding = part.encoding.as_u8();
        let encoding = on_the_wire(encoding).ok_or(ReadError::Encoding(encoding))?;
        parts.push((*aggregate, Chunk::hashed(encoding, data.slice_ref(part.data))));
    }
    parts.sort_unstable_by_key(|(aggregate, _)| *aggregate);
    Ok(match (parts.pop(), parts.is_empty()) {
        (None, _) => Parts::None,
        (Some((aggregate, chunk)), true) => Parts::One(aggregate, chunk),
        (Some(last), false) => {
            parts.push(last);
            Parts::Many(parts)
        }
    })
}

/// The number that an encoding has in the StoreAPI; it ends with histograms.
fn on_the_wire(encoding: u8) -> Option<i32> {
    match Encoding::from_u8(encoding).ok()? {
        Encoding::Xor => Some(Chunk::XOR),
        Encoding::Histogram => Some(Chunk::HISTOGRAM),
        Encoding::FloatHistogram => Some(Chunk::FLOAT_HISTOGRAM),
        _ => None,
    }
}
