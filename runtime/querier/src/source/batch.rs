//! Some series of a selection: labels as symbols, chunks as they came.

use budget::Held;
use promql::{SampleReader, Samples, SeriesBatch, SourceError, Symbol, Symbols};
use query::{Encoded, Merger, Merging, Piece};
use storeapi::{AggrChunk, Aggregate, Chunk, Series};
use tsdb::chunk::Encoding;

use super::failure::unreadable;
use super::names::Names;
use super::wire;

/// Some series.
pub(super) struct Batch {
    merging: Merging,
    labels: Vec<(Symbol, Symbol)>,
    entries: Vec<Entry>,
    held: Vec<Held>,
}

struct Entry {
    /// Where its labels end; they begin where those of the entry before end.
    labels_end: usize,
    chunks: Vec<AggrChunk>,
}

impl Batch {
    pub(super) const fn new(merging: Merging) -> Self {
        Batch { merging, labels: Vec::new(), entries: Vec::new(), held: Vec::new() }
    }

    pub(super) const fn series(&self) -> usize {
        self.entries.len()
    }

    /// Keeps memory that its series take.
    pub(super) fn hold(&mut self, held: Option<Held>) {
        self.held.extend(held);
    }

    pub(super) fn push(&mut self, series: Series, names: &mut Names, symbols: &mut Symbols) {
        names.resolve(&series.labels, symbols, &mut self.labels);
        self.entries.push(Entry { labels_end: self.labels.len(), chunks: series.chunks });
    }
}

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Labels and places: what arrived is charged to the query where it is received.
    fn bytes(&self) -> usize {
        size_of_val(self.labels.as_slice()) + size_of_val(self.entries.as_slice())
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        let end = |at: usize| self.entries.get(at).map_or(0, |entry| entry.labels_end);
        let start = at.checked_sub(1).map_or(0, end);
        self.labels.get(start..end(at)).unwrap_or_default()
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader { batch: self, merger: Merger::new(), pieces: Vec::new() })
    }
}

struct Reader<'b> {
    batch: &'b Batch,
    merger: Merger,
    pieces: Vec<Piece<'b>>,
}

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        let batch = self.batch;
        let Some(entry) = batch.entries.get(at) else { return Ok(()) };
        self.pieces.clear();
        self.pieces.extend(entry.chunks.iter().map(|chunk| {
            let content =
                batch.merging.wanted.choose(|aggregate| chunk.parts.get(wire(aggregate)).map(encoded));
            // What Thanos' stores take for raw has no other part.
            let is_raw = chunk.parts.iter().all(|(aggregate, _)| aggregate == Aggregate::Raw);
            Piece { min_time: chunk.min_time, max_time: chunk.max_time, is_raw, content }
        }));
        self.merger.read(&batch.merging, &self.pieces, into).map_err(unreadable)
    }
}

/// On the wire the encodings of blocks are counted from 0.
fn encoded(chunk: &Chunk) -> Encoded<'_> {
    let byte = chunk.encoding.checked_add(1).and_then(|number| u8::try_from(number).ok());
    let encoding = byte.and_then(|byte| Encoding::from_u8(byte).ok());
    Encoded { encoding: encoding.filter(|encoding| *encoding != Encoding::Aggregate), data: &chunk.data }
}
