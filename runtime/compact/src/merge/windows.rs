//! The windows of aggregate chunks that are to be merged: what is said of one window comes from one chunk, all aggregates of it.
//!
//! Where the turn goes is decided on the aggregate `count`, which has all windows. Thanos decides for each aggregate alone, which
//! comes to the same, but loses a window of all aggregates but `count` at each cut; 1:1 it cannot merge aggregates at all.

mod column;
mod counting;
mod made;

use tsdb::chunk::{Aggregate, AggregateChunk, ChunkError, Columns, Order, decode_floats};
use tsdb::{BlockId, Fault};

use super::decoded::{Kind, Part};
use super::gather::Chunk;

use self::column::{Column, Value};
use self::counting::Counting;
use self::made::Open;

/// The aggregates beside `count`.
const OTHERS: [Aggregate; 4] = [Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Counter];

/// Windows of several chunks; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Windows {
    counts: Columns,
    parts: Vec<Part>,
    /// Of each chunk the other aggregates.
    others: Vec<[Column; 4]>,
}

impl Windows {
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.parts.clear();
        self.others.clear();
    }

    /// Adds an aggregate chunk. Gives its first and last time.
    pub(super) fn add(&mut self, data: &[u8]) -> Result<Option<(i64, i64)>, ChunkError> {
        let chunk = AggregateChunk::new(data)?;
        let start = self.counts.len();
        let Some(counts) = chunk.get(Aggregate::Count) else {
            return Err(ChunkError { at: 0, fault: Fault::Rule("aggregates without counts") });
        };
        decode_floats(counts.encoding, counts.data, Order::Rising, &mut self.counts)
            .map_err(|error| counts.place(error))?;
        let rows = start..self.counts.len();
        let own = self.counts.timestamps.get(rows.clone()).unwrap_or_default();
        let times = own.first().copied().zip(own.last().copied());
        let mut others: [Column; 4] = Default::default();
        for (column, aggregate) in others.iter_mut().zip(OTHERS) {
            if let Some(part) = chunk.get(aggregate) {
                let decoded = match aggregate {
                    Aggregate::Counter => {
                        Column::decode_counter(part.encoding, part.data, own.first().copied())
                    }
                    _ => Column::decode(part.encoding, part.data),
                };
                *column = decoded.map_err(|error| part.place(error))?;
            }
        }
        self.parts.push(Part { rows, kind: Kind::Float });
        self.others.push(others);
        Ok(times)
    }

    /// The time of each row.
    pub(super) fn times(&self) -> &[i64] {
        &self.counts.timestamps
    }

    /// The chunks, in the order in which they were added.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Puts into `rows` of each time the row of the first chunk that has it. Gives how many others there are.
    pub(super) fn first_of_each(&self, rows: &mut Vec<u32>) -> u64 {
        let times = &self.counts.timestamps;
        rows.clear();
        rows.extend((0u32..).take(times.len()));
        rows.sort_unstable_by_key(|row| (times.get(*row as usize), *row));
        rows.dedup_by_key(|row| times.get(*row as usize));
        times.len().saturating_sub(rows.len()) as u64
    }

    /// Encodes rows in chunks of at most `limit` windows, which are put behind `bytes` and into `chunks`.
    pub(super) fn encode(
        &self,
        rows: &[u32],
        limit: u16,
        block: BlockId,
        bytes: &mut Vec<u8>,
        chunks: &mut Vec<Chunk>,
    ) {
        let (mut open, mut counting) = (Open::default(), Counting::default());
        for row in rows {
            let row = *row as usize;
            let (Some(time), Some(count)) = (self.counts.timestamps.get(row), self.counts.values.get(row))
            else {
                continue;
            };
            let at = self.parts.partition_point(|part| part.rows.start <= row).saturating_sub(1);
            let Some(others) = self.others.get(at) else { continue };
            let mut values = others.each_ref().map(|column| column.of(*time));
            if let [.., Value::Float(counted)] = &mut values {
                *counted = counting.count(&self.others, at, *time, *counted);
            }
            let fits = open.counts.len() < limit && !open.counts.is_empty() && open.takes(*time, &values);
            if !fits {
                open.close(None, block, bytes, chunks);
                open.start(counting.start(&self.others, at, *time));
                open.takes(*time, &values);
                open.first = *time;
            }
            open.counts.append(*time, *count);
            (open.last, open.chunk) = (*time, at);
        }
        let raw = self.others.get(open.chunk).and_then(|[.., counter]| counter.end(open.last));
        open.close(raw, block, bytes, chunks);
    }
}
