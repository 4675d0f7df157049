//! Whether blocks that share time agree: where both have samples of a series, one has all that the other has.
//!
//! Blocks of one producer agree: a block that was uploaded twice, a block and one that was made of it, samples that came late.
//! Two producers that have the same external labels by mistake do not, as they scrape at different moments: merged, their
//! samples would stand between each other and give wrong rates for ever.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::Corruption;
use tsdb::block::{BlockMeta, BlockReader, BlockScan, segment_name};
use tsdb::chunk::{Columns, Encoding, HistogramColumns, Order, decode_float_histograms, decode_floats};
use tsdb::corruption::Section;
use tsdb::index::{LabelArena, SymbolCache};

use crate::{SourceError, SourceFault};

/// Two blocks that share time and contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    /// The block of the producer that came later; the one to be set aside.
    pub(crate) younger: BlockId,
    /// The other block.
    pub(crate) older: BlockId,
    /// The first series in which they differ.
    pub(crate) series: String,
    /// The first time at which only one has a sample, or both have different ones, milliseconds.
    pub(crate) time: i64,
}

impl Disagreement {
    /// In words, for the mark.
    pub(crate) fn words(&self) -> String {
        let Disagreement { younger, older, series, time } = self;
        format!(
            "blocks {younger} and {older} share time and external labels but not samples: series {series} differs at {time}. \
             Two producers have the same external labels; give each its own, or declare them replicas with \
             --deduplication.replica-label"
        )
    }
}

type Labels = Vec<(String, String)>;
/// A sample, bit by bit.
type Sample = (i64, Vec<u64>);

/// The first pair of blocks that share time and do not agree. Blocks of samples that came out of order (by their own word) are
/// parts of others and are not asked.
///
/// In memory is one series of each block.
///
/// # Errors
/// A block that cannot be read.
pub(crate) fn disagreement(blocks: &[BlockReader]) -> Result<Option<Disagreement>, SourceError> {
    let mut walks: Vec<Walk<'_>> = Vec::new();
    for block in blocks {
        walks.push(Walk::new(block)?);
    }
    loop {
        let Some(labels) = walks.iter().filter_map(|walk| walk.labels.clone()).min() else { return Ok(None) };
        let mut holders: Vec<&mut Walk<'_>> =
            walks.iter_mut().filter(|walk| walk.labels.as_ref() == Some(&labels)).collect();
        if holders.len() > 1 {
            let mut samples: BTreeMap<usize, Vec<Sample>> = BTreeMap::new();
            let ranges: Vec<(i64, i64)> = holders.iter().map(|walk| walk.range()).collect();
            for (at, walk) in holders.iter_mut().enumerate() {
                let shares = ranges.iter().enumerate().any(|(other, range)| {
                    other != at && range.0 < walk.range().1 && walk.range().0 < range.1
                });
                if shares && !walk.is_out_of_order() {
                    samples.insert(at, walk.samples()?);
                }
            }
            for (one, of_one) in &samples {
                for (other, of_other) in samples.range(one.saturating_add(1)..) {
                    let (Some(a), Some(b)) = (holders.get(*one), holders.get(*other)) else { continue };
                    let from = a.range().0.max(b.range().0);
                    let to = a.range().1.min(b.range().1);
                    if let Some(time) = differ(within(of_one, from, to), within(of_other, from, to)) {
                        let (younger, older) = by_age(a.block.meta(), b.block.meta());
                        let series = words(&labels);
                        return Ok(Some(Disagreement { younger, older, series, time }));
                    }
                }
            }
        }
        for walk in &mut holders {
            walk.advance()?;
        }
    }
}

/// The part of sorted samples in `from..to`.
fn within(samples: &[Sample], from: i64, to: i64) -> &[Sample] {
    let start = samples.partition_point(|(time, _)| *time < from);
    let end = samples.partition_point(|(time, _)| *time < to);
    samples.get(start..end.max(start)).unwrap_or_default()
}

/// Where neither side has all that the other has: the first difference.
fn differ(one: &[Sample], other: &[Sample]) -> Option<i64> {
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let mut rest = many;
    for sample in few {
        let skip = rest.partition_point(|(time, _)| *time < sample.0);
        rest = rest.get(skip..).unwrap_or_default();
        match rest.first() {
            Some(found) if found == sample => {}
            _ => return Some(sample.0),
        }
    }
    None
}

/// The younger one first: the one whose earliest source was made later.
fn by_age(one: &BlockMeta, other: &BlockMeta) -> (BlockId, BlockId) {
    let age = |meta: &BlockMeta| {
        let sources = meta.compaction.sources.iter().copied();
        (sources.min().unwrap_or(meta.ulid), meta.ulid)
    };
    let mut both = [one, other];
    both.sort_by_key(|meta| Reverse(age(meta)));
    let [younger, older] = both;
    (younger.ulid, older.ulid)
}

fn words(labels: &[(String, String)]) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let mut words = format!("{{{}}}", pairs.join(", "));
    if let Some((end, _)) = words.char_indices().nth(400) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// Goes over the series of a block.
struct Walk<'a> {
    block: &'a BlockReader,
    scan: BlockScan<'a>,
    cache: SymbolCache,
    arena: LabelArena,
    /// Those of the series that the scan is at.
    labels: Option<Labels>,
}

impl<'a> Walk<'a> {
    fn new(block: &'a BlockReader) -> Result<Self, SourceError> {
        let scan = block.scan().map_err(|fault| failed(block, fault))?;
        let cache = block.index().symbol_cache();
        let mut walk = Walk { block, scan, cache, arena: LabelArena::default(), labels: None };
        walk.advance()?;
        Ok(walk)
    }

    fn range(&self) -> (i64, i64) {
        (self.block.meta().min_time, self.block.meta().max_time)
    }

    fn is_out_of_order(&self) -> bool {
        self.block.meta().compaction.hints.iter().any(|hint| hint == "from-out-of-order")
    }

    fn advance(&mut self) -> Result<(), SourceError> {
        let block = self.block;
        let series = self.scan.next_series().map_err(|fault| failed(block, fault))?;
        let Some(series) = series else {
            self.labels = None;
            return Ok(());
        };
        self.cache.resolve(&series.labels, &mut self.arena).map_err(|fault| failed(block, fault))?;
        let pairs = self.arena.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.labels = Some(pairs.collect());
        Ok(())
    }

    /// The samples of the series that are not deleted, by time.
    fn samples(&mut self) -> Result<Vec<Sample>, SourceError> {
        let block = self.block;
        let mut samples: Vec<Sample> = Vec::new();
        let (mut floats, mut histograms) = (Columns::default(), HistogramColumns::<f64>::default());
        let deleted = self.scan.deleted().to_vec();
        for at in 0..self.scan.series().chunks.len() {
            let Some((meta, chunk)) = self.scan.chunk_at(at).map_err(|fault| failed(block, fault))? else {
                break;
            };
            let place = || (segment_name(meta.reference.segment()), u64::from(meta.reference.offset()));
            let damaged = |error: tsdb::chunk::ChunkError| {
                let (file, offset) = place();
                failed(block, error.in_file(file, offset))
            };
            let encoding = Encoding::from_u8(chunk.encoding).map_err(|fault| {
                let (file, offset) = place();
                failed(block, Corruption { file: Arc::from(file), section: Section::Chunk, offset, fault })
            })?;
            if encoding.is_float() {
                floats.clear();
                decode_floats(encoding, chunk.data, Order::Rising, &mut floats).map_err(damaged)?;
                samples.extend(floats.iter().map(|(time, value)| (time, vec![value.to_bits()])));
            } else {
                decode_float_histograms(encoding, chunk.data, Order::Rising, &mut histograms)
                    .map_err(damaged)?;
                samples.extend(histograms.iter().map(|(time, histogram)| (time, bits(&histogram))));
            }
        }
        samples.retain(|(time, _)| !deleted.iter().any(|interval| interval.contains(*time)));
        samples.sort();
        Ok(samples)
    }
}

/// All numbers of a histogram that make it what it is.
fn bits(histogram: &prom_model::FloatHistogram) -> Vec<u64> {
    let mut bits = vec![
        histogram.schema as u64,
        histogram.zero_threshold.to_bits(),
        histogram.zero_count.to_bits(),
        histogram.count.to_bits(),
        histogram.sum.to_bits(),
    ];
    let sides = [&histogram.positive_buckets, &histogram.negative_buckets, &histogram.custom_values];
    for (side, numbers) in (0u64..).zip(sides) {
        bits.push(side);
        bits.extend(numbers.iter().map(|number| number.to_bits()).filter(|bits| *bits != 0));
    }
    bits
}

fn failed(block: &BlockReader, fault: Corruption) -> SourceError {
    SourceError { block: block.meta().ulid, reason: SourceFault::Damaged(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: &[i64]) -> Vec<Sample> {
        times.iter().map(|time| (*time, vec![*time as u64])).collect()
    }

    #[test]
    fn samples_agree_where_one_side_has_all_of_the_other() {
        for (one, other, expected) in [
            (&[1, 2, 3][..], &[1, 2, 3][..], None),
            (&[1, 3], &[1, 2, 3], None),
            (&[1, 2, 3], &[2], None),
            (&[], &[1], None),
            (&[1, 2, 4], &[1, 2, 3], Some(4)),
            (&[1, 3], &[2, 4, 6], Some(1)),
            (&[5], &[1, 2], Some(5)),
        ] {
            assert_eq!(differ(&samples(one), &samples(other)), expected, "{one:?} {other:?}");
        }
        let mut other = samples(&[1, 2, 3]);
        other[1].1 = vec![9];
        assert_eq!(differ(&samples(&[1, 2, 3]), &other), Some(2));
    }

    #[test]
    fn only_the_time_that_both_blocks_have_is_compared() {
        let all = samples(&[1, 2, 3, 4, 5]);
        assert_eq!(within(&all, 2, 4), samples(&[2, 3]));
        assert_eq!(within(&all, 6, 9), samples(&[]));
        assert_eq!(within(&all, 4, 2), samples(&[]));
    }

    #[test]
    fn the_younger_producer_is_the_one_whose_first_block_came_later() {
        let meta = |number: u128, sources: &[u128]| {
            let mut meta = BlockMeta::new(BlockId::new(0, number), 0, 1);
            meta.compaction.sources = sources.iter().map(|source| BlockId::new(0, *source)).collect();
            meta
        };
        let (compacted, fresh) = (meta(90, &[5, 6, 7]), meta(50, &[50]));
        let expected = (fresh.ulid, compacted.ulid);
        assert_eq!(by_age(&compacted, &fresh), expected);
        assert_eq!(by_age(&fresh, &compacted), expected);
    }
}
