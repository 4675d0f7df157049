//! The windows of aggregate chunks that are to be merged: what is said of one window comes from one chunk, all aggregates of it.
//!
//! Where the turn goes is decided on the aggregate `count`, which has all windows. Thanos decides for each aggregate alone, which
//! comes to the same, but loses a window of all aggregates but `count` at each cut; 1:1 it cannot merge aggregates at all.
//!
//! The counter of a chunk begins with a raw value and has no resets: what it counted before a reset is still in it. So values of
//! two chunks cannot stand behind one another as they are. Where the turn passes, what the next chunk counted since the last
//! window that both have is added to what there was; the raw value stands at the very end, for whatever follows.

use prom_model::FloatHistogram;
use tsdb::chunk::{
    Aggregate, AggregateChunk, AggregateChunkBuilder, Appended, ChunkError, Columns, Encoding,
    FloatHistogramAppender, HistogramColumns, Order, XorAppender, decode_float_histograms, decode_floats,
};
use tsdb::{BlockId, Fault};

use super::decoded::{Kind, Part};
use super::gather::Chunk;

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

/// An aggregate of a chunk.
#[derive(Debug, Default)]
enum Column {
    #[default]
    Absent,
    Floats(Columns),
    Histograms(Box<HistogramColumns<f64>>),
}

/// What an aggregate says of a window.
#[derive(Debug)]
enum Value {
    Absent,
    Float(f64),
    Histogram(Box<FloatHistogram>),
}

impl Column {
    fn decode(encoding: Encoding, data: &[u8], order: Order) -> Result<Self, ChunkError> {
        if encoding.is_float() {
            let mut columns = Columns::default();
            decode_floats(encoding, data, order, &mut columns)?;
            return Ok(Column::Floats(columns));
        }
        let mut columns = Box::<HistogramColumns<f64>>::default();
        decode_float_histograms(encoding, data, order, &mut columns)?;
        Ok(Column::Histograms(columns))
    }

    fn times(&self) -> &[i64] {
        match self {
            Column::Absent => &[],
            Column::Floats(columns) => &columns.timestamps,
            Column::Histograms(columns) => &columns.timestamps,
        }
    }

    fn at(&self, row: usize) -> Value {
        match self {
            Column::Absent => Value::Absent,
            Column::Floats(columns) => columns.values.get(row).copied().map_or(Value::Absent, Value::Float),
            Column::Histograms(columns) => match columns.get(row) {
                Some((_, histogram)) => Value::Histogram(Box::new(histogram)),
                None => Value::Absent,
            },
        }
    }

    /// What stands there of a window, in a counter without the value that is repeated at the end.
    fn of(&self, time: i64) -> Value {
        let times = self.times();
        let row = times.partition_point(|other| *other < time);
        if times.get(row) == Some(&time) { self.at(row) } else { Value::Absent }
    }

    /// The raw value at the end of a counter, where `time` is its end.
    fn raw_end(&self, time: i64) -> Value {
        match self.times() {
            [.., before, last] if before == last && *last == time => {
                self.at(self.times().len().saturating_sub(1))
            }
            _ => Value::Absent,
        }
    }
}

/// Puts the counters of several chunks together.
#[derive(Debug, Default)]
struct Counting {
    /// The windows that came out, with their values.
    out: Vec<(i64, f64)>,
    /// The chunk from which the last one is.
    chunk: usize,
    /// What is added to the values of that chunk.
    shift: f64,
}

impl Counting {
    /// The value of a window of chunk `at`, where it is a float.
    fn count(&mut self, columns: &[[Column; 4]], at: usize, time: i64, value: f64) -> f64 {
        let counter = |at: usize| columns.get(at).map(|[.., counter]| counter);
        if let Some((before, last)) = self.out.last().copied()
            && self.chunk != at
            && let (Some(from), Some(to)) = (counter(self.chunk), counter(at))
        {
            let shift = self.common(to, time).or_else(|| self.common_later(from, to, before));
            // Of blocks that saw different samples one may have counted less; what was counted stays.
            self.shift = shift.map_or_else(
                || {
                    let raw = match from.raw_end(before) {
                        Value::Float(raw) => raw,
                        _ => last,
                    };
                    // A counter that is lower than before was reset.
                    if value >= raw { last - raw } else { last }
                },
                |shift| shift.max(last - value),
            );
        }
        let value = if self.shift == 0.0 { value } else { value + self.shift };
        self.out.push((time, value));
        self.chunk = at;
        value
    }

    /// How far a chunk is behind what came out, by the last window before `time` that both have.
    fn common(&self, counter: &Column, time: i64) -> Option<f64> {
        let before = counter.times().partition_point(|other| *other < time);
        let times = counter.times().get(..before).unwrap_or_default();
        times.iter().rev().find_map(|time| {
            let place = self.out.binary_search_by_key(time, |(time, _)| *time).ok()?;
            match (self.out.get(place), counter.of(*time)) {
                (Some((_, out)), Value::Float(value)) => Some(out - value),
                _ => None,
            }
        })
    }
}

impl Counting {
    /// As [`Counting::common`], by the first window behind `before` that the chunk which had the turn has too.
    fn common_later(&self, from: &Column, to: &Column, before: i64) -> Option<f64> {
        let behind = from.times().partition_point(|other| *other <= before);
        let times = from.times().get(behind..).unwrap_or_default();
        times.iter().find_map(|time| match (from.of(*time), to.of(*time)) {
            (Value::Float(one), Value::Float(other)) => Some(one + self.shift - other),
            _ => None,
        })
    }
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
        let mut others: [Column; 4] = Default::default();
        for (column, aggregate) in others.iter_mut().zip(OTHERS) {
            if let Some(part) = chunk.get(aggregate) {
                let order = if aggregate == Aggregate::Counter { Order::Any } else { Order::Rising };
                *column =
                    Column::decode(part.encoding, part.data, order).map_err(|error| part.place(error))?;
            }
        }
        let rows = start..self.counts.len();
        let own = self.counts.timestamps.get(rows.clone()).unwrap_or_default();
        let all = others.iter().map(Column::times).chain([own]).filter(|times| !times.is_empty());
        let first = all.clone().filter_map(|times| times.first()).min().copied();
        let last = all.filter_map(|times| times.last()).max().copied();
        self.parts.push(Part { rows, kind: Kind::Float });
        self.others.push(others);
        Ok(first.zip(last))
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
            if open.counts.len() >= limit || !open.takes(*time, &values) {
                open.close(Value::Absent, block, bytes, chunks);
                open.takes(*time, &values);
            }
            if open.counts.is_empty() {
                open.first = *time;
            }
            open.counts.append(*time, *count);
            (open.last, open.chunk) = (*time, at);
        }
        let counter = self.others.get(open.chunk).map(|[.., counter]| counter);
        let raw = counter.map_or(Value::Absent, |counter| counter.raw_end(open.last));
        open.close(raw, block, bytes, chunks);
    }
}

/// An aggregate chunk that is made.
#[derive(Debug, Default)]
struct Open {
    counts: XorAppender,
    others: [Made; 4],
    first: i64,
    last: i64,
    /// The chunk from which the last row is.
    chunk: usize,
}

/// An aggregate of it.
#[derive(Debug, Clone, Default)]
enum Made {
    #[default]
    None,
    Floats(XorAppender),
    Histograms(Box<FloatHistogramAppender>),
}

impl Made {
    /// Appends a value; `false`, and nothing is appended, where it does not fit in.
    fn append(&mut self, time: i64, value: &Value) -> bool {
        match (&mut *self, value) {
            (_, Value::Absent) => true,
            (Made::None, Value::Float(value)) => {
                let mut floats = XorAppender::new();
                floats.append(time, *value);
                *self = Made::Floats(floats);
                true
            }
            (Made::None, Value::Histogram(histogram)) => {
                *self = Made::Histograms(Box::new(FloatHistogramAppender::begin(None, time, histogram)));
                true
            }
            (Made::Floats(floats), Value::Float(value)) => floats.append(time, *value),
            (Made::Histograms(histograms), Value::Histogram(histogram)) => {
                !matches!(histograms.append(time, histogram), Appended::Cut(_))
            }
            _ => false,
        }
    }

    fn has_histograms(&self) -> bool {
        matches!(self, Made::Histograms(_))
    }
}

impl Open {
    /// Appends what the aggregates beside `count` say of a window; `false`, and nothing is appended, where they ask for another
    /// chunk.
    fn takes(&mut self, time: i64, values: &[Value; 4]) -> bool {
        let is_other = |(made, value): (&Made, &Value)| {
            matches!(
                (made, value),
                (Made::Floats(_), Value::Histogram(_)) | (Made::Histograms(_), Value::Float(_))
            )
        };
        if self.others.iter().zip(values).any(is_other) {
            return false;
        }
        // Only a histogram can ask for it later, and then all must be as before.
        let before = self.others.iter().any(Made::has_histograms).then(|| self.others.clone());
        let mut pairs = self.others.iter_mut().zip(values);
        if pairs.all(|(made, value)| made.append(time, value)) {
            return true;
        }
        if let Some(before) = before {
            self.others = before;
        }
        false
    }

    /// Ends the chunk, its counter with `raw`, or with its last value once more.
    fn close(&mut self, raw: Value, block: BlockId, bytes: &mut Vec<u8>, chunks: &mut Vec<Chunk>) {
        if self.counts.is_empty() {
            return;
        }
        let (first, last, samples) = (self.first, self.last, self.counts.len());
        let [.., counter] = &mut self.others;
        let end = match (&raw, &*counter) {
            (Value::Absent, Made::Floats(floats)) => {
                floats.last().map_or(Value::Absent, |(_, value)| Value::Float(value))
            }
            _ => raw,
        };
        // A histogram that does not fit in begins the next chunk in any case.
        counter.append(last, &end);
        let mut builder = AggregateChunkBuilder::new();
        builder.push(Aggregate::Count, Encoding::Xor, self.counts.bytes());
        for (made, aggregate) in self.others.iter().zip(OTHERS) {
            match made {
                Made::None => {}
                Made::Floats(floats) => {
                    builder.push(aggregate, Encoding::Xor, floats.bytes());
                }
                Made::Histograms(histograms) => {
                    builder.push(aggregate, Encoding::FloatHistogram, histograms.bytes());
                }
            }
        }
        let start = bytes.len();
        bytes.extend_from_slice(&builder.into_bytes());
        chunks.push(Chunk {
            min_time: first,
            max_time: last,
            encoding: Encoding::Aggregate,
            samples: samples.into(),
            bytes: start..bytes.len(),
            block,
            is_checked: true,
        });
        *self = Open::default();
    }
}
