//! One series after the other: its labels, its place among the others, its chunks.

use std::cmp::Ordering;

use crate::chunk::{Aggregate, AggregateChunk, ChunkError, Encoding, Scratch, Summary, summarise};
use crate::corruption::Fault;
use crate::index::{ChunkMeta, IndexReader, Series, SymbolCache};

use super::super::segments::{ChunkReader, Segments};
use super::postings::LabelCounts;
use super::{Examination, ProblemKind};

/// The name of the label that holds the metric name.
const METRIC_NAME: &[u8] = b"__name__";

/// What is kept from one series to the next.
pub(super) struct SeriesExamination<'a> {
    chunks: Option<ChunkReader<'a>>,
    range: (i64, i64),
    symbols: SymbolCache,
    scratch: Scratch,
    before: Option<Vec<(u32, u32)>>,
    previous_data: Vec<u8>,
}

impl<'a> SeriesExamination<'a> {
    pub(super) fn new(index: &'a IndexReader, segments: Option<&'a Segments>, range: (i64, i64)) -> Self {
        SeriesExamination {
            chunks: segments.map(Segments::reader),
            range,
            symbols: index.symbol_cache(),
            scratch: Scratch::default(),
            before: None,
            previous_data: Vec::new(),
        }
    }

    pub(super) fn look(&mut self, series: &Series, labels: &mut LabelCounts, found: &mut Examination) {
        found.counts.series = found.counts.series.saturating_add(1);
        self.labels(series, found);
        labels.add(series);
        if series.chunks.is_empty() {
            found.problems.add(ProblemKind::SeriesNoChunks, self.describe(series));
        }
        let mut previous: Option<ChunkMeta> = None;
        for chunk in &series.chunks {
            found.counts.chunks = found.counts.chunks.saturating_add(1);
            self.chunk(series, previous, *chunk, found);
            previous = Some(*chunk);
        }
    }

    /// The labels as PromQL writes them, whatever is wrong with them.
    fn describe(&mut self, series: &Series) -> String {
        let mut pairs = Vec::with_capacity(series.labels.len());
        for (name, value) in &series.labels {
            let mut text = |symbol| match self.symbols.bytes(symbol) {
                Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Err(_) => "?".to_owned(),
            };
            let name = text(*name);
            pairs.push(format!("{name}={}", prom_model::quote(&text(*value))));
        }
        format!("series {} {{{}}}", series.reference.0, pairs.join(", "))
    }

    fn labels(&mut self, series: &Series, found: &mut Examination) {
        if series.labels.is_empty() {
            found.problems.add(ProblemKind::SeriesNoLabels, format!("series {}", series.reference.0));
        }
        let (mut named, mut empty, mut is_text) = (series.labels.is_empty(), false, true);
        for (name, value) in &series.labels {
            for (symbol, is_name) in [(*name, true), (*value, false)] {
                match self.symbols.bytes(symbol) {
                    Ok(bytes) => {
                        named |= is_name && bytes == METRIC_NAME;
                        empty |= bytes.is_empty();
                        is_text &= std::str::from_utf8(bytes).is_ok();
                    }
                    Err(corruption) => return found.problems.add_corruption(&corruption),
                }
            }
        }
        if !named {
            found.problems.add(ProblemKind::SeriesNoName, self.describe(series));
        }
        if !is_text {
            found.problems.add(ProblemKind::SeriesUtf8, self.describe(series));
        }
        let wrong = match () {
            () if empty => Some("an empty name or value"),
            () if !series.labels_are_sorted() => Some("labels out of order, or one of them twice"),
            () => None,
        };
        if let Some(wrong) = wrong {
            let detail = format!("{}: {wrong}", self.describe(series));
            found.problems.add(ProblemKind::SeriesLabels, detail);
        }
        // Symbols are sorted, so their numbers compare as the texts do; a series of unsorted labels has no place in the order.
        if series.labels_are_sorted() {
            match self.before.as_ref().map(|before| before.as_slice().cmp(&series.labels)) {
                Some(Ordering::Equal) => {
                    found.problems.add(ProblemKind::SeriesDuplicate, self.describe(series));
                }
                Some(Ordering::Greater) => {
                    found.problems.add(ProblemKind::SeriesOrder, self.describe(series));
                }
                Some(Ordering::Less) | None => {}
            }
            self.before.get_or_insert_default().clone_from(&series.labels);
        }
    }

    fn chunk(
        &mut self,
        series: &Series,
        previous: Option<ChunkMeta>,
        chunk: ChunkMeta,
        found: &mut Examination,
    ) {
        let (from, to) = self.range;
        if chunk.max_time < from || chunk.min_time >= to {
            let detail = format!("{}: {} outside of [{from}, {to})", self.describe(series), place(&chunk));
            found.problems.add(ProblemKind::ChunkOutsideBlock, detail);
        }
        let Some(reader) = self.chunks.as_mut() else { return };
        let stored = match reader.read(chunk.reference) {
            Ok(stored) => stored,
            Err(corruption) => {
                self.previous_data.clear();
                return found.problems.add_corruption(&corruption);
            }
        };
        let same = self.previous_data == stored.data;
        self.previous_data.clear();
        self.previous_data.extend_from_slice(stored.data);
        let summary = match Encoding::from_u8(stored.encoding) {
            Ok(encoding) => judge(encoding, stored.data, &mut self.scratch).map_err(|error| {
                let kind = match error.fault {
                    Fault::Order(_) => ProblemKind::ChunkSampleOrder,
                    _ => ProblemKind::ChunkData,
                };
                (kind, error.to_string())
            }),
            Err(fault) => Err((ProblemKind::ChunkEncoding, fault.to_string())),
        };
        match summary {
            Ok(summary) => {
                found.counts.samples = found.counts.samples.saturating_add(summary.samples);
                if summary.times != Some((chunk.min_time, chunk.max_time)) {
                    let times = match summary.times {
                        Some((first, last)) => format!("its samples lie in [{first}, {last}]"),
                        None => "it has no samples".to_owned(),
                    };
                    let detail = format!("{}: {}, {times}", self.describe(series), place(&chunk));
                    found.problems.add(ProblemKind::ChunkTimeRange, detail);
                }
            }
            Err((kind, error)) => {
                let detail = format!("{}: {}: {error}", self.describe(series), place(&chunk));
                found.problems.add(kind, detail);
            }
        }
        let Some(previous) = previous.filter(|previous| chunk.min_time <= previous.max_time) else { return };
        let range = |chunk: &ChunkMeta| (chunk.min_time, chunk.max_time);
        let kind = match () {
            () if range(&previous) == range(&chunk) && same => ProblemKind::ChunkDuplicate,
            () if chunk.max_time < previous.min_time => ProblemKind::ChunkOrder,
            () => ProblemKind::ChunkOverlap,
        };
        let detail = format!("{}: {} after {}", self.describe(series), place(&chunk), place(&previous));
        found.problems.add(kind, detail);
    }
}

fn place(chunk: &ChunkMeta) -> String {
    format!("chunk {} [{}, {}]", chunk.reference, chunk.min_time, chunk.max_time)
}

/// Decodes a chunk. The time range of an aggregate chunk is that of its count: a counter keeps raw samples at its ends.
fn judge(encoding: Encoding, data: &[u8], scratch: &mut Scratch) -> Result<Summary, ChunkError> {
    let summary = summarise(encoding, data, scratch)?;
    if encoding != Encoding::Aggregate {
        return Ok(summary);
    }
    match AggregateChunk::new(data)?.get(Aggregate::Count) {
        Some(count) => summarise(count.encoding, count.data, scratch),
        None => Ok(summary),
    }
}
