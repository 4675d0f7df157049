//! Aggregate chunks of downsampled series (Thanos): up to five chunks behind one another.

use super::decode::{header_count, sample_count, summarise_counter};
use super::{ChunkError, Encoding, Scratch, Summary, summarise};
use crate::corruption::Fault;
use crate::encoding::{Reader, put_uvarint};

/// What a chunk inside an aggregate chunk holds; in the order in which they lie there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregate {
    /// How many samples there were.
    Count,
    /// Their sum.
    Sum,
    /// The lowest.
    Min,
    /// The highest.
    Max,
    /// The samples of a counter with its resets taken out, and the last one as it was.
    Counter,
}

impl Aggregate {
    /// All, in the order in which they lie in a chunk.
    pub const ALL: [Aggregate; 5] =
        [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Counter];

    /// The name that Thanos uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum => "sum",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Counter => "counter",
        }
    }
}

/// One of the chunks inside an aggregate chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubChunk<'a> {
    /// Its encoding.
    pub encoding: Encoding,
    /// Its data.
    pub data: &'a [u8],
    /// The byte of the aggregate chunk at which its data begins.
    pub at: usize,
}

/// An aggregate chunk, divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateChunk<'a> {
    chunks: [Option<SubChunk<'a>>; 5],
}

impl<'a> AggregateChunk<'a> {
    /// Divides an aggregate chunk; the data of the chunks in it is not looked at.
    ///
    /// # Errors
    /// What is wrong with the division.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ChunkError> {
        let mut reader = Reader::new(bytes, 0);
        let mut chunks = [None; 5];
        for chunk in &mut chunks {
            let length = reader.uvarint()?;
            if length == 0 {
                continue;
            }
            let at = reader.offset() as usize;
            let encoding = match Encoding::from_u8(reader.u8()?) {
                Ok(Encoding::Aggregate) => return Err(ChunkError::new(at, Fault::Encoding(0xff))),
                Ok(encoding) => encoding,
                Err(fault) => return Err(ChunkError::new(at, fault)),
            };
            let left = reader.len() as u64;
            let Some(data) = usize::try_from(length).ok().and_then(|length| reader.take(length).ok()) else {
                let missing = length.saturating_sub(left);
                return Err(ChunkError::new(bytes.len(), Fault::Short { missing }));
            };
            *chunk = Some(SubChunk { encoding, data, at: at + 1 });
        }
        reader.end()?;
        Ok(AggregateChunk { chunks })
    }

    /// The chunk of an aggregate, where it is there.
    pub fn get(&self, aggregate: Aggregate) -> Option<SubChunk<'a>> {
        self.chunks.get(aggregate as usize).copied().flatten()
    }

    /// The chunks that are there, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Aggregate, SubChunk<'a>)> + '_ {
        Aggregate::ALL.into_iter().filter_map(|aggregate| Some((aggregate, self.get(aggregate)?)))
    }

    /// How many samples the aggregate `count` has; 0 where it is not there.
    ///
    /// # Errors
    /// [`Fault::Short`].
    pub fn sample_count(&self) -> Result<u16, ChunkError> {
        match self.get(Aggregate::Count) {
            Some(chunk) => sample_count(chunk.encoding, chunk.data).map_err(|error| chunk.place(error)),
            None => Ok(0),
        }
    }

    pub(super) fn summarise(&self, scratch: &mut Scratch) -> Result<Summary, ChunkError> {
        let mut whole = Summary { samples: 0, times: None };
        for (aggregate, chunk) in self.iter() {
            let summarised = match aggregate {
                Aggregate::Counter => summarise_counter(chunk.encoding, chunk.data, scratch),
                _ => summarise(chunk.encoding, chunk.data, scratch),
            };
            let part = summarised.map_err(|error| chunk.place(error))?;
            whole.samples += part.samples;
            whole.times = match (whole.times, part.times) {
                (Some((first, last)), Some((start, end))) => Some((first.min(start), last.max(end))),
                (times, None) | (None, times) => times,
            };
        }
        Ok(whole)
    }
}

impl SubChunk<'_> {
    /// An error in the chunk, as one of the aggregate chunk in which it lies.
    pub fn place(&self, error: ChunkError) -> ChunkError {
        ChunkError::new(self.at.saturating_add(error.at), error.fault)
    }
}

impl From<crate::encoding::At> for ChunkError {
    fn from(at: crate::encoding::At) -> Self {
        ChunkError::new(at.offset as usize, at.fault)
    }
}

/// Puts an aggregate chunk together.
#[derive(Debug, Clone, Default)]
pub struct AggregateChunkBuilder {
    bytes: Vec<u8>,
    next: usize,
}

impl AggregateChunkBuilder {
    /// Begins an aggregate chunk.
    pub fn new() -> Self {
        AggregateChunkBuilder::default()
    }

    /// Begins an aggregate chunk behind bytes that stay as they are.
    pub const fn behind(bytes: Vec<u8>) -> Self {
        AggregateChunkBuilder { bytes, next: 0 }
    }

    /// Adds the chunk of an aggregate. Those before it that were not added are absent; says `false` and does nothing if it, or
    /// one behind it, is there already, if the chunk is empty, or if it is itself an aggregate chunk.
    pub fn push(&mut self, aggregate: Aggregate, encoding: Encoding, data: &[u8]) -> bool {
        let at = aggregate as usize;
        if at < self.next || header_count(data).is_err() || encoding == Encoding::Aggregate {
            return false;
        }
        self.bytes.resize(self.bytes.len() + at - self.next, 0);
        put_uvarint(&mut self.bytes, data.len() as u64);
        self.bytes.push(encoding.as_u8());
        self.bytes.extend_from_slice(data);
        self.next = at + 1;
        true
    }

    /// The chunk, behind the bytes with which it was begun.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 5 - self.next, 0);
        self.bytes
    }
}
