//! One series of an index: pairs of symbols, and where its chunks lie; `docs/index.md`, "Series".

use std::fmt;

use crate::corruption::Fault;
use crate::encoding::{At, Reader, put_uvarint, put_varint};

/// Names a series of one index: the number in postings and tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SeriesRef(pub u32);

/// Names a chunk of one block: the segment's number (counted from 0) and the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ChunkRef(pub u64);

impl ChunkRef {
    /// The chunk at `offset` in a segment; segment 0 is the file `000001`.
    pub const fn new(segment: u32, offset: u32) -> Self {
        ChunkRef((segment as u64) << 32 | offset as u64)
    }

    /// The segment, counted from 0.
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Bytes from the start of the segment.
    pub const fn offset(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for ChunkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}:{}", u64::from(self.segment()) + 1, self.offset())
    }
}

/// What the index says about a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChunkMeta {
    /// The time of the first sample, milliseconds.
    pub min_time: i64,
    /// The time of the last sample, milliseconds, inclusive.
    pub max_time: i64,
    /// Where the chunk lies.
    pub reference: ChunkRef,
}

impl ChunkMeta {
    /// Whether the chunk may have samples in the closed interval.
    pub const fn overlaps(&self, min_time: i64, max_time: i64) -> bool {
        self.min_time <= max_time && min_time <= self.max_time
    }
}

/// A series; a buffer that is filled again and again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// What postings and tombstones call it.
    pub reference: SeriesRef,
    /// Name and value of each label, as symbols of the index it comes from, in stored order: sorted by name unless damaged.
    pub labels: Vec<(u32, u32)>,
    /// The chunks in stored order: sorted by time unless damaged.
    pub chunks: Vec<ChunkMeta>,
}

impl Series {
    /// Whether label names rise strictly: symbols are sorted, so their numbers say it.
    pub fn labels_are_sorted(&self) -> bool {
        self.labels.is_sorted_by(|one, next| one.0 < next.0)
    }

    /// Whether each chunk begins after the one before it has ended.
    pub fn chunks_are_in_order(&self) -> bool {
        self.chunks.is_sorted_by(|one, next| one.max_time < next.min_time)
    }

    /// Reads the content of an entry (between its length and its checksum), but not whether its symbols exist.
    pub(crate) fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), At> {
        self.labels.clear();
        self.chunks.clear();
        let labels = count(reader, "number of labels", 2)?;
        self.labels.reserve(labels);
        for _ in 0..labels {
            let name = symbol(reader)?;
            let value = symbol(reader)?;
            self.labels.push((name, value));
        }
        let chunks = count(reader, "number of chunks", 3)?;
        self.chunks.reserve(chunks);
        let mut previous = ChunkMeta::default();
        for at in 0..chunks {
            let start = reader.offset();
            let (min_time, max_time, reference);
            if at == 0 {
                min_time = reader.varint()?;
                max_time = end_of(reader, min_time)?;
                reference = reader.uvarint()?;
            } else {
                // Modulo 2^64, as it is written: a chunk that begins before its predecessor ends is damage, but legible.
                min_time = previous.max_time.wrapping_add(reader.uvarint()? as i64);
                max_time = end_of(reader, min_time)?;
                reference = previous.reference.0.wrapping_add(reader.varint()? as u64);
            }
            if max_time < min_time {
                let fault = Fault::Rule("a chunk that ends before it begins");
                return Err(At { offset: start, fault });
            }
            previous = ChunkMeta { min_time, max_time, reference: ChunkRef(reference) };
            self.chunks.push(previous);
        }
        reader.end()
    }
}

/// Appends the content of an entry as Prometheus writes it.
pub(crate) fn encode(to: &mut Vec<u8>, labels: &[(u32, u32)], chunks: &[ChunkMeta]) {
    put_uvarint(to, labels.len() as u64);
    for (name, value) in labels {
        put_uvarint(to, u64::from(*name));
        put_uvarint(to, u64::from(*value));
    }
    put_uvarint(to, chunks.len() as u64);
    let mut previous: Option<&ChunkMeta> = None;
    for chunk in chunks {
        let length = chunk.max_time.wrapping_sub(chunk.min_time) as u64;
        match previous {
            None => {
                put_varint(to, chunk.min_time);
                put_uvarint(to, length);
                put_uvarint(to, chunk.reference.0);
            }
            Some(previous) => {
                put_uvarint(to, chunk.min_time.wrapping_sub(previous.max_time) as u64);
                put_uvarint(to, length);
                put_varint(to, chunk.reference.0.wrapping_sub(previous.reference.0) as i64);
            }
        }
        previous = Some(chunk);
    }
}

fn end_of(reader: &mut Reader<'_>, min_time: i64) -> Result<i64, At> {
    Ok(min_time.wrapping_add(reader.uvarint()? as i64))
}

fn symbol(reader: &mut Reader<'_>) -> Result<u32, At> {
    let here = reader.fault(Fault::Varint);
    let value = reader.uvarint()?;
    u32::try_from(value)
        .map_err(|_| At { fault: Fault::OutOfRange { what: "symbol", value, max: u32::MAX.into() }, ..here })
}

/// A number of things that take at least `bytes` each, so that more than are left can be refused before memory is taken.
fn count(reader: &mut Reader<'_>, what: &'static str, bytes: usize) -> Result<usize, At> {
    let here = reader.fault(Fault::Varint);
    let value = reader.uvarint()?;
    let max = (reader.len() / bytes) as u64;
    match usize::try_from(value) {
        Ok(count) if value <= max => Ok(count),
        _ => Err(At { fault: Fault::OutOfRange { what, value, max }, ..here }),
    }
}
