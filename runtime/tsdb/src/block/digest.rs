//! A block's samples as canonical lines of JSON, one per series and aggregate, with a digest: two blocks with the same lines
//! hold the same samples, however they were written.
//!
//! A line has `labels`, `agg` (`raw`, or an aggregate of Thanos), `n` samples, `sha256` (the first 16 bytes, in hex) and
//! `chunks`: first and last timestamp, encoding, samples, of histograms the byte about counter resets. The digest goes over
//! `timestamp canonical\n` for each sample. A float is its 16 hex digits; a histogram names its absolute bucket indexes and
//! leaves empty buckets out.

use std::fmt::Write as _;
use std::io::{self, Write};

use prom_model::{FloatHistogram, is_stale, push_go_float};
use sha2::{Digest as _, Sha256};

use crate::chunk::{
    Aggregate, AggregateChunk, ChunkError, Columns, Encoding, HistogramColumns, Order, counter_reset,
    decode_float_histograms, decode_floats, decode_histograms,
};
use crate::corruption::{Corruption, Fault, Section};
use crate::index::{ChunkMeta, LabelArena};

use super::{BlockReader, segment_name};

/// Why a digest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The block is damaged.
    #[error("damaged block")]
    Damaged(#[from] Corruption),
    /// The lines could not be written.
    #[error("the lines could not be written")]
    Io(#[from] io::Error),
}

/// What all lines come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDigest {
    /// How many series.
    pub series: u64,
    /// How many chunks; an aggregate chunk counts once.
    pub chunks: u64,
    /// How many samples, of all aggregates.
    pub samples: u64,
    /// SHA-256 over the whole digests of all lines in order: the first 16 bytes, in hex.
    pub sha256: String,
}

/// Writes the lines of a block; with `full` each also has its `samples`. Tombstones are not applied: it is about what is stored.
///
/// # Errors
/// [`DigestError`]; lines of earlier series are written then.
pub fn write_digest(
    block: &BlockReader,
    full: bool,
    out: &mut dyn Write,
) -> Result<BlockDigest, DigestError> {
    let postings = block.index().all_postings()?;
    let mut reader = block.index().series_reader();
    let mut cache = block.index().symbol_cache();
    let mut chunks = block.segments().reader();
    let mut series = crate::index::Series::default();
    let mut labels = LabelArena::default();
    let mut maker = Maker::default();
    let mut whole = Sha256::new();
    let mut total = BlockDigest { series: 0, chunks: 0, samples: 0, sha256: String::new() };
    for at in 0..postings.len() {
        let Some(reference) = postings.get(at) else { break };
        reader.read(reference, &mut series)?;
        cache.resolve(&series.labels, &mut labels)?;
        let mut lines: [Option<Line>; 6] = Default::default();
        for meta in &series.chunks {
            let stored = chunks.read(meta.reference)?;
            let damaged = |error: ChunkError| {
                // The data lies behind a length and the encoding.
                let start = u64::from(meta.reference.offset()) + length_bytes(stored.data.len()) + 1;
                error.in_file(segment_name(meta.reference.segment()), start)
            };
            let encoding = Encoding::from_u8(stored.encoding).map_err(|fault| Corruption {
                file: segment_name(meta.reference.segment()).into(),
                section: Section::Chunk,
                offset: u64::from(meta.reference.offset()),
                fault,
            })?;
            total.chunks = total.chunks.saturating_add(1);
            if encoding == Encoding::Aggregate {
                for (aggregate, chunk) in AggregateChunk::new(stored.data).map_err(damaged)?.iter() {
                    let line = slot(&mut lines, aggregate as usize + 1, full);
                    let added = maker.add(line, *meta, chunk.encoding, chunk.data, Order::Any);
                    added.map_err(|error| damaged(chunk.place(error)))?;
                }
            } else {
                let line = slot(&mut lines, 0, full);
                maker.add(line, *meta, encoding, stored.data, Order::Rising).map_err(damaged)?;
            }
        }
        total.series = total.series.saturating_add(1);
        let mut names: Vec<(&str, Line)> = (lines.into_iter().enumerate())
            .filter_map(|(at, line)| Some((aggregate_name(at), line?)))
            .collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, line) in names {
            total.samples = total.samples.saturating_add(line.samples);
            let sha256 = line.digest.clone().finalize();
            whole.update(sha256);
            write_line(out, &labels, name, &line, &half_hex(&sha256))?;
        }
    }
    total.sha256 = half_hex(&whole.finalize());
    Ok(total)
}

/// What one series and aggregate comes to.
#[derive(Debug, Default)]
struct Line {
    digest: Sha256,
    samples: u64,
    chunks: String,
    /// The samples as JSON, where they are wanted.
    text: Option<String>,
}

fn slot(lines: &mut [Option<Line>; 6], at: usize, full: bool) -> Option<&mut Line> {
    let line = lines.get_mut(at)?;
    Some(line.get_or_insert_with(|| Line { text: full.then(String::new), ..Line::default() }))
}

fn aggregate_name(slot: usize) -> &'static str {
    slot.checked_sub(1).and_then(|at| Aggregate::ALL.get(at)).map_or("raw", |aggregate| aggregate.as_str())
}

/// Buffers that serve all series.
#[derive(Debug, Default)]
struct Maker {
    floats: Columns,
    wholes: HistogramColumns<u64>,
    float_histograms: HistogramColumns<f64>,
    canonical: String,
    /// Of a run of samples, so that the digest is fed in large pieces.
    run: String,
}

impl Maker {
    fn add(
        &mut self,
        line: Option<&mut Line>,
        meta: ChunkMeta,
        encoding: Encoding,
        data: &[u8],
        order: Order,
    ) -> Result<(), ChunkError> {
        let Some(line) = line else { return Ok(()) };
        self.run.clear();
        let samples = match encoding {
            Encoding::Xor | Encoding::Xor2 => {
                self.floats.clear();
                decode_floats(encoding, data, order, &mut self.floats)?;
                for (at, value) in self.floats.iter() {
                    // Writing to a text cannot fail, here and below.
                    let _ = writeln!(self.run, "{at} {:016x}", value.to_bits());
                    if let Some(text) = &mut line.text {
                        begin_sample(text, at);
                        if is_stale(value) {
                            text.push_str("stale")
                        } else {
                            push_go_float(text, value)
                        }
                        text.push_str("\"]");
                    }
                }
                self.floats.len()
            }
            Encoding::Histogram | Encoding::HistogramSt => {
                decode_histograms(encoding, data, order, &mut self.wholes)?;
                for (at, histogram) in self.wholes.iter() {
                    self.canonical.clear();
                    push_histogram(&mut self.canonical, "hist", &histogram.to_float());
                    let _ = writeln!(self.run, "{at} {}", self.canonical);
                    push_sample(line, at, &self.canonical);
                }
                self.wholes.len()
            }
            Encoding::FloatHistogram | Encoding::FloatHistogramSt => {
                decode_float_histograms(encoding, data, order, &mut self.float_histograms)?;
                for (at, histogram) in self.float_histograms.iter() {
                    self.canonical.clear();
                    push_histogram(&mut self.canonical, "fhist", &histogram);
                    let _ = writeln!(self.run, "{at} {}", self.canonical);
                    push_sample(line, at, &self.canonical);
                }
                self.float_histograms.len()
            }
            Encoding::Aggregate => return Err(ChunkError { at: 0, fault: Fault::Encoding(0xff) }),
        };
        line.digest.update(&self.run);
        line.samples = line.samples.saturating_add(samples as u64);
        if !line.chunks.is_empty() {
            line.chunks.push(',');
        }
        let _ = write!(line.chunks, "[{},{},{},{samples}", meta.min_time, meta.max_time, encoding.as_u8());
        if let Some(reset) = counter_reset(encoding, data)? {
            let _ = write!(line.chunks, ",\"{}\"", reset.as_u8());
        }
        line.chunks.push(']');
        Ok(())
    }
}

fn begin_sample(text: &mut String, at: i64) {
    if !text.is_empty() {
        text.push(',');
    }
    let _ = write!(text, "[{at},\"");
}

fn push_sample(line: &mut Line, at: i64, canonical: &str) {
    if let Some(text) = &mut line.text {
        begin_sample(text, at);
        text.push_str(canonical);
        text.push_str("\"]");
    }
}

/// Numbers stand there as Go prints floats, of whole observations too.
fn push_histogram(into: &mut String, kind: &str, histogram: &FloatHistogram) {
    into.push_str(kind);
    if histogram.is_stale() {
        return into.push_str(" stale");
    }
    let _ = write!(into, " schema={}", histogram.schema);
    for (name, value) in [
        (" zt=", histogram.zero_threshold),
        (" zc=", histogram.zero_count),
        (" count=", histogram.count),
        (" sum=", histogram.sum),
    ] {
        into.push_str(name);
        push_go_float(into, value);
    }
    push_buckets(into, " pos=", histogram.positive());
    push_buckets(into, " neg=", histogram.negative());
    custom(into, &histogram.custom_values);
}

fn push_buckets(into: &mut String, name: &str, buckets: impl Iterator<Item = (i64, f64)>) {
    into.push_str(name);
    for (position, (index, count)) in buckets.filter(|(_, count)| *count != 0.0).enumerate() {
        let comma = if position > 0 { "," } else { "" };
        let _ = write!(into, "{comma}{index}:");
        push_go_float(into, count);
    }
}

fn custom(into: &mut String, bounds: &[f64]) {
    for (position, bound) in bounds.iter().enumerate() {
        into.push_str(if position > 0 { "," } else { " custom=" });
        push_go_float(into, *bound);
    }
}

fn write_line(
    out: &mut dyn Write,
    labels: &LabelArena,
    agg: &str,
    line: &Line,
    sha256: &str,
) -> io::Result<()> {
    out.write_all(b"{\"labels\":{")?;
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, name).map_err(io::Error::from)?;
        out.write_all(b":")?;
        serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    }
    let (n, chunks) = (line.samples, &line.chunks);
    write!(out, "}},\"agg\":\"{agg}\",\"n\":{n},\"sha256\":\"{sha256}\",\"chunks\":[{chunks}]")?;
    if let Some(samples) = &line.text {
        write!(out, ",\"samples\":[{samples}]")?;
    }
    out.write_all(b"}\n")
}

fn half_hex(digest: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// How many bytes the length of a chunk takes.
fn length_bytes(length: usize) -> u64 {
    let bits = u64::from(u64::BITS - (length as u64).leading_zeros());
    bits.div_ceil(7).max(1)
}
