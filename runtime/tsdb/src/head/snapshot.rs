//! A part of the head as of one moment.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;
use hashbrown::HashMap;
use prom_model::Matcher;

use crate::chunk::Encoding;
use crate::corruption::Corruption;
use crate::wal::record::SeriesRef;

use super::chunk_files::StoredAt;
use super::out_of_order;
use super::samples::{Merged, Sample};
use super::series::{Closed, Place};
use super::state::State;

/// Which chunks are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    InOrder,
    OutOfOrder,
}

/// Series of a head with their chunks, as of one moment; what is appended later is not in it.
#[derive(Debug, Default)]
pub struct Snapshot {
    text: String,
    symbols: Vec<Range<usize>>,
    labels: Vec<(u32, u32)>,
    memory: Bytes,
    chunks: Vec<Chunk>,
    series: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    reference: SeriesRef,
    labels: Range<usize>,
    chunks: Range<usize>,
    deleted: Vec<(i64, i64)>,
}

#[derive(Debug)]
struct Chunk {
    min_time: i64,
    max_time: i64,
    encoding: Encoding,
    samples: u16,
    out_of_order: bool,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Range<usize>),
    File(StoredAt),
    Broken(Corruption),
}

/// A series of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct SeriesView<'a> {
    snapshot: &'a Snapshot,
    entry: &'a Entry,
}

/// A chunk of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct ChunkView<'a> {
    snapshot: &'a Snapshot,
    chunk: &'a Chunk,
}

impl Snapshot {
    /// How many series there are.
    pub const fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series, sorted by labels.
    pub fn series(&self) -> impl ExactSizeIterator<Item = SeriesView<'_>> {
        self.series.iter().map(|entry| SeriesView { snapshot: self, entry })
    }

    /// The series at a place in that order.
    pub fn get(&self, at: usize) -> Option<SeriesView<'_>> {
        self.series.get(at).map(|entry| SeriesView { snapshot: self, entry })
    }

    fn symbol(&self, symbol: u32) -> &str {
        self.symbols.get(symbol as usize).and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }
}

impl<'a> SeriesView<'a> {
    /// The number by which the series is named in this head.
    pub const fn reference(&self) -> SeriesRef {
        self.entry.reference
    }

    /// The labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let snapshot = self.snapshot;
        let labels = snapshot.labels.get(self.entry.labels.clone()).unwrap_or_default();
        labels.iter().map(|(name, value)| (snapshot.symbol(*name), snapshot.symbol(*value)))
    }

    /// The chunks: first the in-order ones, in order and without overlap, then the others, which may overlap all.
    pub fn chunks(&self) -> impl Iterator<Item = ChunkView<'a>> + use<'a> {
        let snapshot = self.snapshot;
        let chunks = snapshot.chunks.get(self.entry.chunks.clone()).unwrap_or_default();
        chunks.iter().map(|chunk| ChunkView { snapshot, chunk })
    }

    /// Intervals whose samples are deleted, both ends included; they are in the chunks all the same.
    pub fn deleted(&self) -> &'a [(i64, i64)] {
        &self.entry.deleted
    }

    /// The samples from `min_time` to `max_time`, both included: merged, in order of time, without the deleted ones.
    ///
    /// # Errors
    /// [`Corruption`] of a chunk on disk.
    pub fn samples(&self, min_time: i64, max_time: i64) -> Result<Vec<Sample>, Corruption> {
        let mut merged = Merged::default();
        for chunk in self.chunks() {
            let bytes = chunk.read()?;
            merged
                .add((chunk.encoding(), &bytes), min_time, max_time, self.deleted())
                .map_err(|error| error.in_file("chunks_head", 0))?;
        }
        Ok(merged.into_sorted().into_iter().map(Sample::from).collect())
    }
}

impl ChunkView<'_> {
    /// The time of the first sample.
    pub const fn min_time(&self) -> i64 {
        self.chunk.min_time
    }

    /// The time of the last sample.
    pub const fn max_time(&self) -> i64 {
        self.chunk.max_time
    }

    /// How the samples are compressed.
    pub const fn encoding(&self) -> Encoding {
        self.chunk.encoding
    }

    /// How many samples it has.
    pub const fn samples(&self) -> u16 {
        self.chunk.samples
    }

    /// Whether the samples came out of order.
    pub const fn is_out_of_order(&self) -> bool {
        self.chunk.out_of_order
    }

    /// The chunk, from memory or from disk, there checked.
    ///
    /// # Errors
    /// [`Corruption`] of a chunk on disk.
    pub fn read(&self) -> Result<Bytes, Corruption> {
        match &self.chunk.source {
            Source::Memory(range) => Ok(self.snapshot.memory.slice(range.clone())),
            Source::File(stored) => stored.read().map(|(_, bytes)| bytes),
            Source::Broken(damage) => Err(damage.clone()),
        }
    }
}

struct Builder<'a> {
    state: &'a State,
    known: HashMap<u32, u32, foldhash::fast::FixedState>,
    memory: Vec<u8>,
    snapshot: Snapshot,
    min_time: i64,
    max_time: i64,
}

/// Selects with the head held for reading.
pub(super) fn select(
    state: &State,
    matchers: &[Matcher],
    min_time: i64,
    max_time: i64,
    which: Which,
) -> Snapshot {
    let slots = state.postings.select(&state.symbols, matchers, state.series.len() as u32);
    let (known, memory, snapshot) = (HashMap::default(), Vec::new(), Snapshot::default());
    let mut builder = Builder { state, known, memory, snapshot, min_time, max_time };
    for slot in slots {
        builder.add(slot, which);
    }
    let Builder { mut snapshot, memory, .. } = builder;
    snapshot.memory = memory.into();
    let Snapshot { text, symbols, labels, series, .. } = &mut snapshot;
    let text_of = |symbol: u32| symbols.get(symbol as usize).and_then(|range| text.get(range.clone()));
    let pairs = |entry: &Entry| labels.get(entry.labels.clone()).unwrap_or_default();
    series.sort_by(|left, right| {
        for ((left_name, left_value), (right_name, right_value)) in pairs(left).iter().zip(pairs(right)) {
            let order = text_of(*left_name).cmp(&text_of(*right_name));
            let order = if left_name == right_name { Ordering::Equal } else { order };
            if order != Ordering::Equal {
                return order;
            }
            if left_value != right_value {
                return text_of(*left_value).cmp(&text_of(*right_value));
            }
        }
        pairs(left).len().cmp(&pairs(right).len())
    });
    snapshot
}

impl Builder<'_> {
    fn add(&mut self, slot: u32, which: Which) {
        let state = self.state;
        let Some(series) = state.series(slot) else {
            return;
        };
        let first = self.snapshot.chunks.len();
        if which != Which::OutOfOrder {
            for chunk in &series.closed {
                self.closed(chunk, false);
            }
            if let Some((encoding, samples, bytes)) = series.open.view() {
                self.memory(series.open_min, series.committed_max(), encoding, samples, false, bytes);
            }
        }
        if let Some(others) = &series.out_of_order
            && which != Which::InOrder
        {
            for chunk in &others.closed {
                self.closed(chunk, true);
            }
            for chunk in out_of_order::chunks(&others.samples) {
                self.closed(&chunk, true);
            }
        }
        let last = self.snapshot.chunks.len();
        if first == last {
            return;
        }
        let labels = self.snapshot.labels.len();
        for (name, value) in &series.labels {
            let pair = (self.symbol(*name), self.symbol(*value));
            self.snapshot.labels.push(pair);
        }
        let deleted = series.extra.as_ref().map(|extra| extra.deleted.clone()).unwrap_or_default();
        let labels = labels..self.snapshot.labels.len();
        let reference = series.reference;
        self.snapshot.series.push(Entry { reference, labels, chunks: first..last, deleted });
    }

    fn symbol(&mut self, symbol: u32) -> u32 {
        if let Some(known) = self.known.get(&symbol) {
            return *known;
        }
        let (start, number) = (self.snapshot.text.len(), self.snapshot.symbols.len() as u32);
        self.snapshot.text.push_str(self.state.symbols.get(symbol));
        self.snapshot.symbols.push(start..self.snapshot.text.len());
        self.known.insert(symbol, number);
        number
    }

    fn closed(&mut self, chunk: &Closed, out_of_order: bool) {
        let Closed { min_time, max_time, samples, encoding, place } = chunk;
        match place {
            Place::Memory(bytes) => {
                self.memory(*min_time, *max_time, *encoding, *samples, out_of_order, bytes)
            }
            Place::File(place) => {
                if self.outside(*min_time, *max_time) {
                    return;
                }
                let Some(files) = &self.state.chunk_files else {
                    return;
                };
                let source = files.reader(*place).map_or_else(Source::Broken, Source::File);
                self.push(*min_time, *max_time, *encoding, *samples, out_of_order, source);
            }
        }
    }

    const fn outside(&self, min_time: i64, max_time: i64) -> bool {
        max_time < self.min_time || min_time > self.max_time
    }

    fn memory(
        &mut self,
        min_time: i64,
        max_time: i64,
        encoding: Encoding,
        samples: u16,
        out_of_order: bool,
        bytes: &[u8],
    ) {
        if self.outside(min_time, max_time) {
            return;
        }
        let start = self.memory.len();
        self.memory.extend_from_slice(bytes);
        let source = Source::Memory(start..self.memory.len());
        self.push(min_time, max_time, encoding, samples, out_of_order, source);
    }

    fn push(
        &mut self,
        min_time: i64,
        max_time: i64,
        encoding: Encoding,
        samples: u16,
        out_of_order: bool,
        source: Source,
    ) {
        self.snapshot.chunks.push(Chunk { min_time, max_time, encoding, samples, out_of_order, source });
    }
}
