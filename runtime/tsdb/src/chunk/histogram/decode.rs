//! Histogram chunks to columns.

use prom_model::is_stale;

use super::super::bits::{BitReader, BitSource, WINDOW_BITS};
use super::super::start_time::StartTimes;
use super::super::varbit::{read_int, read_uint, short_width, sign_extend};
use super::super::xor::ValueReader;
use super::super::{ChunkError, Decoded, Encoding, HistogramColumns, Order, decode};
use crate::corruption::Fault;

/// Bytes before the layout: count and counter reset, in the encodings with start timestamps in the first two, with the byte
/// about those behind.
const HEADER: usize = 3;
const MARKER_IN_THE_MIDDLE: Fault = Fault::Rule("a sample behind a stale marker in one histogram chunk");

/// A column's number, from a whole one.
pub(crate) trait Whole: Copy + Default {
    fn whole(value: u64) -> Self;
    /// A bucket's, which damaged differences can bring below 0.
    fn bucket(value: i64) -> Self;
}

impl Whole for u64 {
    #[inline(always)]
    fn whole(value: u64) -> Self {
        value
    }

    #[inline(always)]
    fn bucket(value: i64) -> Self {
        value as u64
    }
}

impl Whole for f64 {
    #[inline(always)]
    fn whole(value: u64) -> Self {
        value as f64
    }

    #[inline(always)]
    fn bucket(value: i64) -> Self {
        value as f64
    }
}

/// Timestamps, and what else both kinds of histogram have.
struct Common<'a> {
    reader: BitReader<'a>,
    start_times: Option<StartTimes>,
    count: usize,
    timestamp: i64,
    delta: i64,
    changes: i64,
    ended: bool,
}

impl<'a> Common<'a> {
    fn new<N: Copy>(
        source: &'a BitSource<'a>,
        encoding: Encoding,
        bytes: &[u8],
        into: &mut HistogramColumns<N>,
    ) -> Result<Self, ChunkError> {
        let count = usize::from(decode::sample_count(encoding, bytes)?);
        into.counter_reset = decode::counter_reset(encoding, bytes)?.unwrap_or_default();
        let Some(third) = bytes.get(HEADER - 1).copied() else {
            return Err(ChunkError::new(bytes.len(), Fault::Short { missing: 1 }));
        };
        let with_start_times = encoding.has_start_times();
        let start_times = with_start_times.then(|| StartTimes::new(third));
        let reader = source.reader(HEADER);
        if count > 0 {
            // Four bits are the least that a sample takes.
            reader.need(4 * count as u64)?;
        }
        Ok(Common { reader, start_times, count, timestamp: 0, delta: 0, changes: 0, ended: false })
    }

    /// Reads the timestamp of a sample.
    #[inline(always)]
    fn timestamp(&mut self, position: usize, order: Order) -> Result<i64, ChunkError> {
        let before = self.timestamp;
        let value = read_int(&mut self.reader);
        if position == 0 {
            self.timestamp = value;
            return Ok(before);
        }
        self.delta = self.delta.wrapping_add(value);
        if position > 1 {
            self.changes |= value;
        }
        self.timestamp = before.wrapping_add(self.delta);
        if order == Order::Rising && self.timestamp <= before {
            return Err(self.reader.error(Fault::Order("timestamps")));
        }
        Ok(before)
    }

    /// Notes whether the sample is a stale marker, behind which only others may stand.
    fn marker(&mut self, is_stale: bool) -> Result<(), ChunkError> {
        if self.ended && !is_stale {
            return Err(self.reader.error(MARKER_IN_THE_MIDDLE));
        }
        self.ended = is_stale;
        Ok(())
    }

    fn end(self) -> Result<Decoded, ChunkError> {
        self.reader.finish()?;
        let interval = (self.count > 1 && self.changes == 0).then_some(self.delta);
        Ok(Decoded { samples: self.count, interval })
    }
}

impl<N: Copy + Default> HistogramColumns<N> {
    /// Adds a sample without its buckets.
    fn push(
        &mut self,
        common: &mut Common<'_>,
        position: usize,
        before: i64,
        counts: (N, N),
        sum: f64,
    ) -> Result<(), ChunkError> {
        let timestamp = common.timestamp;
        if let Some(start_times) = &mut common.start_times {
            let start = start_times.read(&mut common.reader, position, timestamp, before)?;
            self.start_timestamps.push(start);
        }
        let (count, zero_count) = if common.ended { (N::default(), N::default()) } else { counts };
        self.timestamps.push(timestamp);
        self.counts.push(count);
        self.zero_counts.push(zero_count);
        self.sums.push(sum);
        Ok(())
    }
}

/// Decodes a chunk of whole observations.
pub(crate) fn decode_whole<N: Whole>(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<N>,
) -> Result<Decoded, ChunkError> {
    into.clear();
    let decoded = whole(encoding, bytes, order, into);
    if decoded.is_err() {
        into.clear();
    }
    decoded
}

fn whole<N: Whole>(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<N>,
) -> Result<Decoded, ChunkError> {
    let source = BitSource::new(bytes);
    let mut common = Common::new(&source, encoding, bytes, into)?;
    if common.count == 0 {
        return common.end();
    }
    into.layout.read(&mut common.reader)?;
    let (positive, width) =
        (into.layout.positive_buckets, into.layout.positive_buckets + into.layout.negative_buckets);
    let (mut count, mut count_delta, mut zero, mut zero_delta) = (0u64, 0i64, 0u64, 0i64);
    let mut sum = ValueReader::new(0);
    // Of each bucket: what it has more than the one before it, and how that changed since the last sample.
    let mut differences = vec![0i64; width];
    let mut deltas = vec![0i64; width];
    for position in 0..common.count {
        let before = common.timestamp(position, order)?;
        let reader = &mut common.reader;
        if position == 0 {
            count = read_uint(reader);
            zero = read_uint(reader);
            sum.bits = reader.read(64);
        } else {
            count_delta = count_delta.wrapping_add(read_int(reader));
            count = count.wrapping_add_signed(count_delta);
            zero_delta = zero_delta.wrapping_add(read_int(reader));
            zero = zero.wrapping_add_signed(zero_delta);
            sum.read(reader)?;
        }
        let sum = f64::from_bits(sum.bits);
        let stale = is_stale(sum);
        common.marker(stale)?;
        if position == 0 {
            // The buckets of a first sample are there even if it is a stale marker.
            common.reader.need(width as u64)?;
            read_all(&mut common.reader, &mut differences);
        } else if !stale {
            common.reader.need(width as u64)?;
            add_all(&mut common.reader, &mut deltas);
            for (difference, delta) in differences.iter_mut().zip(&deltas) {
                *difference = difference.wrapping_add(*delta);
            }
        }
        if !stale {
            let (front, back) = differences.split_at_checked(positive).unwrap_or_default();
            extend_sums(&mut into.buckets, front);
            extend_sums(&mut into.buckets, back);
        }
        into.push(&mut common, position, before, (N::whole(count), N::whole(zero)), sum)?;
    }
    common.end()
}

fn extend_sums<N: Whole>(into: &mut Vec<N>, differences: &[i64]) {
    let mut sum = 0i64;
    into.extend(differences.iter().map(|difference| {
        sum = sum.wrapping_add(*difference);
        N::bucket(sum)
    }));
}

fn read_all(reader: &mut BitReader<'_>, into: &mut [i64]) {
    for value in into {
        *value = read_int(reader);
    }
}

/// Adds an integer of the stream to each; most are 0 or short, so that one window has several.
#[inline]
fn add_all(reader: &mut BitReader<'_>, into: &mut [i64]) {
    let mut values = into.iter_mut();
    loop {
        let mut window = reader.window();
        let mut left = WINDOW_BITS;
        loop {
            let zeros = window.leading_zeros().min(left);
            if zeros as usize >= values.len() {
                return reader.skip(WINDOW_BITS - left + values.len() as u32);
            }
            window <<= zeros;
            left -= zeros;
            if left == 0 {
                reader.skip(WINDOW_BITS);
                if let Some(before) = zeros.checked_sub(1) {
                    let _ = values.nth(before as usize);
                }
                break;
            }
            let Some(value) = values.nth(zeros as usize) else { return };
            let ones = (!window).leading_zeros();
            let (prefix, width) = (ones + 1, short_width(ones));
            if width == 0 || prefix + width > left {
                reader.skip(WINDOW_BITS - left);
                *value = value.wrapping_add(read_int(reader));
                break;
            }
            *value = value.wrapping_add(sign_extend(window << prefix >> (64 - width), width));
            window <<= prefix + width;
            left -= prefix + width;
        }
    }
}

/// Decodes a chunk of float histograms.
pub(crate) fn decode_float(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<f64>,
) -> Result<Decoded, ChunkError> {
    into.clear();
    let decoded = float(encoding, bytes, order, into);
    if decoded.is_err() {
        into.clear();
    }
    decoded
}

fn float(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<f64>,
) -> Result<Decoded, ChunkError> {
    let source = BitSource::new(bytes);
    let mut common = Common::new(&source, encoding, bytes, into)?;
    if common.count == 0 {
        return common.end();
    }
    into.layout.read(&mut common.reader)?;
    let width = into.layout.positive_buckets + into.layout.negative_buckets;
    common.reader.need(64 * width as u64)?;
    let (mut count, mut zero, mut sum) = (ValueReader::new(0), ValueReader::new(0), ValueReader::new(0));
    let mut buckets = vec![ValueReader::new(0); width];
    for position in 0..common.count {
        let before = common.timestamp(position, order)?;
        let reader = &mut common.reader;
        if position == 0 {
            for value in [&mut count, &mut zero, &mut sum].into_iter().chain(&mut buckets) {
                value.bits = reader.read(64);
            }
        } else {
            count.read(reader)?;
            zero.read(reader)?;
            sum.read(reader)?;
        }
        let sum = f64::from_bits(sum.bits);
        let stale = is_stale(sum);
        if position > 0 && !stale {
            reader.need(width as u64)?;
            for bucket in &mut buckets {
                bucket.read(reader)?;
            }
        }
        common.marker(stale)?;
        if !stale {
            into.buckets.extend(buckets.iter().map(|bucket| f64::from_bits(bucket.bits)));
        }
        let counts = (f64::from_bits(count.bits), f64::from_bits(zero.bits));
        into.push(&mut common, position, before, counts, sum)?;
    }
    common.end()
}
