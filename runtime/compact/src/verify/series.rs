//! The series of a block one by one with their samples in plain form, for comparing blocks. Slow, and on purpose not the way
//! in which blocks are merged.

use std::sync::Arc;

use prom_model::{FloatHistogram, is_stale};
use tsdb::BlockId;
use tsdb::block::{BlockReader, BlockScan, Interval, segment_name};
use tsdb::chunk::{
    Aggregate, AggregateChunk, ChunkError, Columns, Encoding, HistogramColumns, Order,
    decode_float_histograms, decode_floats,
};
use tsdb::corruption::{Corruption, Section};
use tsdb::index::{LabelArena, SymbolCache};

/// The name and value of each label.
pub(super) type SeriesLabels = Vec<(String, String)>;

/// What makes a sample the same sample: the bits of a float, or the numbers of a histogram that no change of layout touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Float(u64),
    Histogram { count: u64, sum: u64, zero: u64 },
}

/// A series with the samples that are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PlainSeries {
    pub(super) labels: SeriesLabels,
    /// Samples as they were scraped, by time.
    pub(super) raw: Vec<(i64, Value)>,
    /// Of aggregate chunks the samples of each aggregate, as they come.
    pub(super) aggregates: [Vec<(i64, Value)>; 5],
}

impl Value {
    /// Whether downsampling takes it into account: what is no number and the end of a series are left out.
    pub(super) fn counts(self) -> bool {
        match self {
            Value::Float(bits) => !f64::from_bits(bits).is_nan(),
            Value::Histogram { sum, .. } => !is_stale(f64::from_bits(sum)),
        }
    }
}

/// Walks over the series of a block in the order of their labels.
pub(super) struct Walk<'a> {
    block: BlockId,
    scan: BlockScan<'a>,
    cache: SymbolCache,
    arena: LabelArena,
    floats: Columns,
    histograms: HistogramColumns<f64>,
}

/// A block that could not be walked over.
#[derive(Debug, thiserror::Error)]
#[error("block {block} cannot be read again")]
pub struct WalkError {
    /// The block.
    pub block: BlockId,
    /// What is wrong with it.
    #[source]
    pub source: Corruption,
}

impl<'a> Walk<'a> {
    pub(super) fn new(reader: &'a BlockReader) -> Result<Self, WalkError> {
        let block = reader.meta().ulid;
        let scan = reader.scan().map_err(|source| WalkError { block, source })?;
        Ok(Walk {
            block,
            scan,
            cache: reader.index().symbol_cache(),
            arena: LabelArena::default(),
            floats: Columns::default(),
            histograms: HistogramColumns::default(),
        })
    }

    /// The next series that has samples.
    pub(super) fn next(&mut self) -> Result<Option<PlainSeries>, WalkError> {
        let block = self.block;
        loop {
            match self.read().map_err(|source| WalkError { block, source })? {
                Some(series) if series.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    fn read(&mut self) -> Result<Option<PlainSeries>, Corruption> {
        let Some(series) = self.scan.next_series()? else { return Ok(None) };
        let chunks = series.chunks.len();
        self.cache.resolve(&series.labels, &mut self.arena)?;
        let labels = self.arena.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut plain = PlainSeries { labels: labels.collect(), ..PlainSeries::default() };
        let deleted: Vec<Interval> = self.scan.deleted().to_vec();
        let kept = |time: i64| !deleted.iter().any(|interval| interval.contains(time));
        for at in 0..chunks {
            let Some((meta, chunk)) = self.scan.chunk_at(at)? else { break };
            let (segment, offset) = (meta.reference.segment(), u64::from(meta.reference.offset()));
            let damaged = |error: ChunkError| error.in_file(segment_name(segment), offset);
            let encoding = Encoding::from_u8(chunk.encoding).map_err(|fault| Corruption {
                file: Arc::from(segment_name(segment)),
                section: Section::Chunk,
                offset,
                fault,
            })?;
            if encoding == Encoding::Aggregate {
                for (aggregate, part) in AggregateChunk::new(chunk.data).map_err(damaged)?.iter() {
                    let into = of_aggregate(&mut plain.aggregates, aggregate);
                    let (floats, histograms) = (&mut self.floats, &mut self.histograms);
                    let order = Order::Any;
                    decode(part.encoding, part.data, order, (floats, histograms), &kept, into)
                        .map_err(damaged)?;
                }
            } else {
                let buffers = (&mut self.floats, &mut self.histograms);
                decode(encoding, chunk.data, Order::Rising, buffers, &kept, &mut plain.raw)
                    .map_err(damaged)?;
            }
        }
        Ok(Some(plain))
    }
}

impl PlainSeries {
    pub(super) fn is_empty(&self) -> bool {
        self.raw.is_empty() && self.aggregates.iter().all(Vec::is_empty)
    }

    pub(super) fn aggregate(&self, aggregate: Aggregate) -> &[(i64, Value)] {
        self.aggregates.get(aggregate as usize).map_or(&[], Vec::as_slice)
    }
}

fn of_aggregate(aggregates: &mut [Vec<(i64, Value)>; 5], aggregate: Aggregate) -> &mut Vec<(i64, Value)> {
    let [count, sum, min, max, counter] = aggregates;
    match aggregate {
        Aggregate::Count => count,
        Aggregate::Sum => sum,
        Aggregate::Min => min,
        Aggregate::Max => max,
        Aggregate::Counter => counter,
    }
}

fn decode(
    encoding: Encoding,
    data: &[u8],
    order: Order,
    (floats, histograms): (&mut Columns, &mut HistogramColumns<f64>),
    kept: &impl Fn(i64) -> bool,
    into: &mut Vec<(i64, Value)>,
) -> Result<(), ChunkError> {
    if encoding.is_float() {
        floats.clear();
        decode_floats(encoding, data, order, floats)?;
        let samples = floats.iter().map(|(time, value)| (time, Value::Float(value.to_bits())));
        into.extend(samples.filter(|(time, _)| kept(*time)));
    } else {
        decode_float_histograms(encoding, data, order, histograms)?;
        let value = |histogram: FloatHistogram| Value::Histogram {
            count: histogram.count.to_bits(),
            sum: histogram.sum.to_bits(),
            zero: histogram.zero_count.to_bits(),
        };
        let samples = histograms.iter().map(|(time, histogram)| (time, value(histogram)));
        into.extend(samples.filter(|(time, _)| kept(*time)));
    }
    Ok(())
}
