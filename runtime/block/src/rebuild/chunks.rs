//! The chunks of one series on their way into the new block: copied, left out, or cut.

use tsdb::block::{ChunkData, ChunkReader};
use tsdb::chunk::{
    Aggregate, AggregateChunk, AggregateChunkBuilder, Appended, ChunkError, Columns, Encoding,
    FloatHistogramAppender, HistogramAppender, HistogramColumns, Order, Scratch, XorAppender,
    decode_float_histograms, decode_floats, decode_histograms, summarise,
};

use super::{Change, Ordered, Planned, RebuildError, union};
use crate::Interval;

/// A chunk of the new block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    min_time: i64,
    max_time: i64,
    encoding: Encoding,
    data: Vec<u8>,
}

impl Piece {
    pub(super) fn as_chunk(&self) -> ChunkData<'_> {
        let Piece { min_time, max_time, encoding, ref data } = *self;
        ChunkData { min_time, max_time, encoding, data }
    }
}

/// Samples in a chunk that is made of several; what Prometheus aims at.
const MERGED_SAMPLES: usize = 120;

/// Reads the chunks of a series in order of time, without what is deleted; gives the intervals in which samples were.
pub(super) fn collect(
    reader: &mut ChunkReader<'_>,
    labels: &Ordered,
    series: &Planned,
    pieces: &mut Vec<Piece>,
    log: &mut impl FnMut(Change),
) -> Result<Vec<Interval>, RebuildError> {
    let mut gone = Vec::new();
    for piece in gather(reader, labels, series, log)? {
        let within: Vec<Interval> = series
            .deleted
            .iter()
            .filter(|interval| interval.min_time <= piece.max_time && piece.min_time <= interval.max_time)
            .map(|interval| Interval {
                min_time: interval.min_time.max(piece.min_time),
                max_time: interval.max_time.min(piece.max_time),
            })
            .collect();
        match within.as_slice() {
            [] => pieces.push(piece),
            [whole] if (whole.min_time, whole.max_time) == (piece.min_time, piece.max_time) => {}
            some => cut(&piece, some, labels, pieces)?,
        }
        gone.extend(within);
    }
    Ok(union(gone))
}

/// Reads the chunks of a series in order of time, each once, and makes one of those that share time.
fn gather(
    reader: &mut ChunkReader<'_>,
    labels: &Ordered,
    series: &Planned,
    log: &mut impl FnMut(Change),
) -> Result<Vec<Piece>, RebuildError> {
    let mut chunks = series.chunks.clone();
    // Stable: of samples of one time those of the series that stood first are kept.
    chunks.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
    let mut scratch = Scratch::default();
    let (mut out, mut group): (Vec<Piece>, Vec<Piece>) = (Vec::new(), Vec::new());
    for chunk in &chunks {
        let stored = reader.read(chunk.reference)?;
        let failed = |source| RebuildError::Chunk {
            labels: labels.0.clone(),
            chunk: chunk.reference.to_string(),
            source,
        };
        let encoding =
            Encoding::from_u8(stored.encoding).map_err(|fault| failed(ChunkError { at: 0, fault }))?;
        // A copy of damage would be damage under a checksum that is right.
        summarise(encoding, stored.data, &mut scratch).map_err(failed)?;
        let (min_time, max_time) = (chunk.min_time, chunk.max_time);
        let piece = Piece { min_time, max_time, encoding, data: stored.data.to_vec() };
        if group.last() == Some(&piece) {
            log(Change::ChunkOnce { labels: labels.0.clone(), min_time, max_time });
            continue;
        }
        let end = group.iter().map(|before| before.max_time).max();
        if end.is_some_and(|end| end < piece.min_time) {
            merge(&mut group, labels, &mut out)?;
        }
        group.push(piece);
    }
    merge(&mut group, labels, &mut out)?;
    Ok(out)
}

/// Chunks that share time become chunks that do not: only where they are floats, and only of series that got the same labels.
fn merge(group: &mut Vec<Piece>, labels: &Ordered, out: &mut Vec<Piece>) -> Result<(), RebuildError> {
    if group.len() < 2 {
        out.append(group);
        return Ok(());
    }
    let min_time = group.get(1).map_or(0, |second| second.min_time);
    if group.iter().any(|piece| piece.encoding != Encoding::Xor) {
        return Err(RebuildError::Overlap { labels: labels.0.clone(), min_time });
    }
    let mut samples: Vec<(i64, f64)> = Vec::new();
    for piece in group.drain(..) {
        let mut columns = Columns::default();
        decode_floats(piece.encoding, &piece.data, Order::Rising, &mut columns)
            .map_err(|source| chunk_error(labels, &piece, source))?;
        samples.extend(columns.iter());
    }
    samples.sort_by_key(|(time, _)| *time);
    samples.dedup_by_key(|(time, _)| *time);
    for part in samples.chunks(MERGED_SAMPLES) {
        out.extend(floats(part.iter().copied()));
    }
    Ok(())
}

fn floats(samples: impl Iterator<Item = (i64, f64)>) -> Option<Piece> {
    let mut appender = XorAppender::new();
    let mut times: Option<(i64, i64)> = None;
    for (time, value) in samples {
        appender.append(time, value);
        times = Some((times.map_or(time, |(first, _)| first), time));
    }
    let (min_time, max_time) = times?;
    Some(Piece { min_time, max_time, encoding: Encoding::Xor, data: appender.into_bytes() })
}

fn chunk_error(labels: &Ordered, piece: &Piece, source: ChunkError) -> RebuildError {
    let chunk = format!("[{}, {}]", piece.min_time, piece.max_time);
    RebuildError::Chunk { labels: labels.0.clone(), chunk, source }
}

/// Writes what is left of a chunk anew.
fn cut(
    piece: &Piece,
    deleted: &[Interval],
    labels: &Ordered,
    pieces: &mut Vec<Piece>,
) -> Result<(), RebuildError> {
    let keep =
        |time: i64| !deleted.iter().any(|interval| interval.min_time <= time && time <= interval.max_time);
    let failed = |source| chunk_error(labels, piece, source);
    let unsupported = || RebuildError::Encoding { labels: labels.0.clone(), encoding: piece.encoding };
    if piece.encoding != Encoding::Aggregate {
        let left = recode(piece.encoding, &piece.data, Order::Rising, &keep).map_err(failed)?;
        pieces.extend(left.ok_or_else(unsupported)?);
        return Ok(());
    }
    let mut builder = AggregateChunkBuilder::new();
    let mut times = None;
    for (aggregate, sub) in AggregateChunk::new(&piece.data).map_err(failed)?.iter() {
        let left = recode(sub.encoding, sub.data, Order::Any, &keep).map_err(failed)?;
        match left.ok_or_else(unsupported)?.as_slice() {
            [] => {}
            [one] => {
                if aggregate == Aggregate::Count {
                    times = Some((one.min_time, one.max_time));
                }
                builder.push(aggregate, one.encoding, &one.data);
            }
            // An aggregate has one chunk each; histograms that reset in between do not fit.
            _ => return Err(unsupported()),
        }
    }
    if let Some((min_time, max_time)) = times {
        let data = builder.into_bytes();
        pieces.push(Piece { min_time, max_time, encoding: Encoding::Aggregate, data });
    }
    Ok(())
}

/// The samples that are kept as new chunks; `None` for encodings that cannot be written.
fn recode(
    encoding: Encoding,
    data: &[u8],
    order: Order,
    keep: &impl Fn(i64) -> bool,
) -> Result<Option<Vec<Piece>>, ChunkError> {
    let mut pieces = Vec::new();
    match encoding {
        Encoding::Xor => {
            let mut columns = Columns::default();
            decode_floats(encoding, data, order, &mut columns)?;
            pieces.extend(floats(columns.iter().filter(|(time, _)| keep(*time))));
        }
        Encoding::Histogram => {
            let mut columns = HistogramColumns::<u64>::default();
            decode_histograms(encoding, data, order, &mut columns)?;
            let mut open: Option<(HistogramAppender, i64, i64)> = None;
            for (time, histogram) in columns.iter().filter(|(time, _)| keep(*time)) {
                open = Some(match open.take() {
                    None => (HistogramAppender::begin(None, time, &histogram), time, time),
                    Some((mut appender, first, last)) => match appender.append(time, &histogram) {
                        Appended::Inside | Appended::Rewritten => (appender, first, time),
                        Appended::Cut(next) => {
                            let data = appender.into_bytes();
                            pieces.push(Piece { min_time: first, max_time: last, encoding, data });
                            (*next, time, time)
                        }
                    },
                });
            }
            if let Some((appender, min_time, max_time)) = open {
                pieces.push(Piece { min_time, max_time, encoding, data: appender.into_bytes() });
            }
        }
        Encoding::FloatHistogram => {
            let mut columns = HistogramColumns::<f64>::default();
            decode_float_histograms(encoding, data, order, &mut columns)?;
            let mut open: Option<(FloatHistogramAppender, i64, i64)> = None;
            for (time, histogram) in columns.iter().filter(|(time, _)| keep(*time)) {
                open = Some(match open.take() {
                    None => (FloatHistogramAppender::begin(None, time, &histogram), time, time),
                    Some((mut appender, first, last)) => match appender.append(time, &histogram) {
                        Appended::Inside | Appended::Rewritten => (appender, first, time),
                        Appended::Cut(next) => {
                            let data = appender.into_bytes();
                            pieces.push(Piece { min_time: first, max_time: last, encoding, data });
                            (*next, time, time)
                        }
                    },
                });
            }
            if let Some((appender, min_time, max_time)) = open {
                pieces.push(Piece { min_time, max_time, encoding, data: appender.into_bytes() });
            }
        }
        _ => return Ok(None),
    }
    Ok(Some(pieces))
}
