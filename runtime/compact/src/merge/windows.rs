//! The windows of aggregate chunks that are to be merged: what is said of one window comes from one chunk, all aggregates of it.
//!
//! Where the turn goes is decided on the aggregate `count`, which has all windows. Thanos decides for each aggregate alone, which
//! comes to the same, and loses a window of all aggregates but `count` at each cut.

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
/// The place of the counter in [`OTHERS`].
const COUNTER: usize = 3;

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

    /// Whether a counter was reset in it.
    fn has_resets(&self) -> bool {
        match self {
            Column::Floats(columns) => match columns.values.as_slice() {
                [.., before, last] => before.to_bits() != last.to_bits(),
                _ => false,
            },
            _ => false,
        }
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

    /// Encodes rows in chunks of at most `limit` windows, which are put behind `bytes` and into `chunks`.
    pub(super) fn encode(
        &self,
        rows: &[u32],
        limit: u16,
        block: BlockId,
        bytes: &mut Vec<u8>,
        chunks: &mut Vec<Chunk>,
    ) {
        let mut open = Open::default();
        for row in rows {
            let row = *row as usize;
            let (Some(time), Some(count)) = (self.counts.timestamps.get(row), self.counts.values.get(row))
            else {
                continue;
            };
            let at = self.parts.partition_point(|part| part.rows.start <= row).saturating_sub(1);
            let Some(others) = self.others.get(at) else { continue };
            let values =
                [0, 1, 2, 3].map(|at| others.get(at).map_or(Value::Absent, |column| column.of(*time)));
            // A counter that goes on in another chunk must not forget what was counted before a reset.
            let turns = !open.counts.is_empty() && open.chunk != at;
            let before = self.others.get(open.chunk).map(|others| &others[COUNTER]);
            let cut = open.counts.len() >= limit || turns && before.is_some_and(Column::has_resets);
            if cut || !open.takes(*time, &values) {
                open.close(before, block, bytes, chunks);
                open.takes(*time, &values);
            }
            if open.counts.is_empty() {
                open.first = *time;
            }
            open.counts.append(*time, *count);
            (open.last, open.chunk) = (*time, at);
        }
        let counter = self.others.get(open.chunk).map(|others| &others[COUNTER]);
        open.close(counter, block, bytes, chunks);
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

    /// Ends the chunk, its counter with the raw value; `counter` is that of the chunk from which the last row is.
    fn close(
        &mut self,
        counter: Option<&Column>,
        block: BlockId,
        bytes: &mut Vec<u8>,
        chunks: &mut Vec<Chunk>,
    ) {
        if self.counts.is_empty() {
            return;
        }
        let (first, last, samples) = (self.first, self.last, self.counts.len());
        let [.., made] = &mut self.others;
        let end = match counter.map_or(Value::Absent, |counter| counter.raw_end(last)) {
            Value::Absent => counter.map_or(Value::Absent, |counter| counter.of(last)),
            raw => raw,
        };
        made.append(last, &end);
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
