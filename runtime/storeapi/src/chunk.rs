//! Chunks as they travel: raw, or one per aggregate.

use bytes::{BufMut, Bytes};
use xxhash_rust::xxh64::xxh64;

use crate::codec::{
    Fields, Value, WireError, Writer, bytes_behind, bytes_key, bytes_len, number_behind, number_key,
    number_len, slice,
};

/// An encoded chunk (message `Chunk`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// The encoding's number on the wire, one less than in a block: [`Chunk::XOR`] and so on.
    pub encoding: i32,
    /// The chunk's data: what follows the encoding byte in a block.
    pub data: Bytes,
    /// xxhash64 of the data; 0 where the sender does not say.
    pub hash: u64,
}

impl Chunk {
    /// Floats.
    pub const XOR: i32 = 0;
    /// Native histograms with integer counts.
    pub const HISTOGRAM: i32 = 1;
    /// Native histograms with float counts.
    pub const FLOAT_HISTOGRAM: i32 = 2;

    /// A chunk with its hash.
    pub fn hashed(encoding: i32, data: Bytes) -> Self {
        let hash = xxh64(&data, 0);
        Chunk { encoding, data, hash }
    }

    fn encoded_len(&self) -> usize {
        let data = if self.data.is_empty() { 0 } else { bytes_len(self.data.len()) };
        number_len(self.encoding as u64) + data + number_len(self.hash)
    }

    fn encode(&self, into: &mut Writer<'_, impl BufMut>) {
        into.number(1, self.encoding as u64);
        if !self.data.is_empty() {
            into.length(2, self.data.len());
            into.bytes(&self.data);
        }
        into.number(3, self.hash);
    }

    fn decode(message: &Bytes, chunk: &[u8]) -> Result<Self, WireError> {
        let mut decoded = Chunk::default();
        let mut fields = Fields::new(chunk);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Number(encoding)) => decoded.encoding = encoding as i32,
                (2, Value::Bytes(data)) => decoded.data = slice(message, data),
                (3, Value::Number(hash)) => decoded.hash = hash,
                (1..=3, _) => return Err(WireError::WireType(number)),
                _ => {}
            }
        }
        Ok(decoded)
    }
}

/// What the samples of a chunk are (message `Aggr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    /// As they were scraped.
    Raw,
    /// How many there were in each window.
    Count,
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// A counter without its resets.
    Counter,
}

impl Aggregate {
    /// All, in the order of their field numbers.
    pub const ALL: [Aggregate; 6] = [
        Aggregate::Raw,
        Aggregate::Count,
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Counter,
    ];

    /// The field of `AggrChunk`.
    const fn field(self) -> u8 {
        self as u8 + 3
    }

    /// The aggregate with this number in a request; `None` where there is none.
    pub fn from_request(number: i32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at).copied())
    }
}

/// The aggregates of one range of time; usually there is one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Parts {
    /// Nothing.
    #[default]
    None,
    /// One.
    One(Aggregate, Chunk),
    /// Several.
    Many(Vec<(Aggregate, Chunk)>),
}

impl Parts {
    /// The chunk of an aggregate.
    pub fn get(&self, aggregate: Aggregate) -> Option<&Chunk> {
        self.iter().find(|(known, _)| *known == aggregate).map(|(_, chunk)| chunk)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Aggregate, &Chunk)> {
        let (one, many) = match self {
            Parts::None => (None, &[][..]),
            Parts::One(aggregate, chunk) => (Some((*aggregate, chunk)), &[][..]),
            Parts::Many(many) => (None, many.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|(aggregate, chunk)| (*aggregate, chunk)))
    }

    /// Adds an aggregate.
    pub fn push(&mut self, aggregate: Aggregate, chunk: Chunk) {
        *self = match std::mem::take(self) {
            Parts::None => Parts::One(aggregate, chunk),
            Parts::One(first, its) => Parts::Many(vec![(first, its), (aggregate, chunk)]),
            Parts::Many(mut many) => {
                many.push((aggregate, chunk));
                Parts::Many(many)
            }
        };
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// A range of time of a series (message `AggrChunk`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AggrChunk {
    /// The first sample, milliseconds since the epoch.
    pub min_time: i64,
    /// The last sample, included.
    pub max_time: i64,
    /// Its chunks.
    pub parts: Parts,
}

impl AggrChunk {
    /// A range of raw samples.
    pub fn raw(min_time: i64, max_time: i64, chunk: Chunk) -> Self {
        AggrChunk { min_time, max_time, parts: Parts::One(Aggregate::Raw, chunk) }
    }

    pub(crate) fn encoded_len(&self) -> usize {
        let parts: usize = self.parts.iter().map(|(_, chunk)| bytes_len(chunk.encoded_len())).sum();
        number_len(self.min_time as u64) + number_len(self.max_time as u64) + parts
    }

    pub(crate) fn encode(&self, into: &mut Writer<'_, impl BufMut>) {
        into.number(1, self.min_time as u64);
        into.number(2, self.max_time as u64);
        for (aggregate, chunk) in self.parts.iter() {
            into.length(aggregate.field(), chunk.encoded_len());
            chunk.encode(into);
        }
    }

    pub(crate) fn decode(message: &Bytes, chunk: &[u8]) -> Result<Self, WireError> {
        if let Some(usual) = Self::decode_usual(message, chunk) {
            return Ok(usual);
        }
        let mut decoded = AggrChunk::default();
        let mut fields = Fields::new(chunk);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Number(time)) => decoded.min_time = time as i64,
                (2, Value::Number(time)) => decoded.max_time = time as i64,
                (3..=8, Value::Bytes(part)) => {
                    if let Some(aggregate) = Aggregate::from_request(number as i32 - 3) {
                        decoded.parts.push(aggregate, Chunk::decode(message, part)?);
                    }
                }
                (1..=8, _) => return Err(WireError::WireType(number)),
                _ => {}
            }
        }
        Ok(decoded)
    }

    /// A chunk as nearly all are: both times and one part, their fields in order. `None` says nothing about any other.
    #[inline]
    fn decode_usual(message: &Bytes, chunk: &[u8]) -> Option<Self> {
        let (min_time, rest) = number_behind(chunk, number_key(1))?;
        let (max_time, rest) = number_behind(rest, number_key(2))?;
        let aggregate = Aggregate::from_request(i32::from(*rest.first()? >> 3) - 3)?;
        let (part, rest) = bytes_behind(rest, bytes_key(aggregate.field()))?;
        let (encoding, part) = number_behind(part, number_key(1)).unwrap_or((0, part));
        let (data, part) = bytes_behind(part, bytes_key(2))?;
        let (hash, part) = number_behind(part, number_key(3)).unwrap_or((0, part));
        let chunk = Chunk { encoding: encoding as i32, data: slice(message, data), hash };
        let parts = Parts::One(aggregate, chunk);
        let usual = AggrChunk { min_time: min_time as i64, max_time: max_time as i64, parts };
        (part.is_empty() && rest.is_empty()).then_some(usual)
    }
}
