//! A series of the head: its labels, the chunk that grows, the chunks that are complete.

use prom_model::{FloatHistogram, Histogram};

use crate::chunk::{Appended, Encoding, FloatHistogramAppender, HistogramAppender, XorAppender};
use crate::wal::record::{MetricType, SeriesRef};

use super::out_of_order::OutOfOrder;
use super::symbols::Symbol;

/// Samples of a chunk of floats that is full.
const SAMPLES_PER_CHUNK: u16 = 120;
/// A float chunk of so many bytes takes no further sample: it could grow beyond 1024.
const XOR_BYTES_MAX: usize = 1024 - 19;
/// Bytes of a chunk of histograms that is full.
const HISTOGRAM_BYTES: usize = 1024;
/// A histogram chunk has so many samples at least, unless its time range ends.
const HISTOGRAM_SAMPLES_MIN: u16 = 10;

/// The end of the time range in which a timestamp lies: ranges of one length, aligned with the epoch.
pub(super) const fn range_end(timestamp: i64, range: i64) -> i64 {
    (timestamp / range).saturating_mul(range).saturating_add(range)
}

/// Where a complete chunk is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a head chunk file.
    File(u64),
    /// Not on disk yet.
    Memory(Box<[u8]>),
}

/// A complete chunk.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) samples: u16,
    pub(super) encoding: Encoding,
    pub(super) place: Place,
}

/// The chunk that grows.
#[derive(Debug, Default)]
pub(super) enum Open {
    #[default]
    None,
    Float(XorAppender),
    Histogram(Box<HistogramAppender>),
    FloatHistogram(Box<FloatHistogramAppender>),
}

impl Open {
    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Open::None)
    }

    pub(super) fn view(&self) -> Option<(Encoding, u16, &[u8])> {
        match self {
            Open::None => None,
            Open::Float(chunk) => Some((Encoding::Xor, chunk.len(), chunk.bytes())),
            Open::Histogram(chunk) => Some((Encoding::Histogram, chunk.len(), chunk.bytes())),
            Open::FloatHistogram(chunk) => Some((Encoding::FloatHistogram, chunk.len(), chunk.bytes())),
        }
    }
}

/// The kind of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Histogram,
    FloatHistogram,
}

/// What only few series have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) metadata: Option<(MetricType, Box<str>, Box<str>)>,
    /// Deleted intervals, both ends included.
    pub(super) deleted: Vec<(i64, i64)>,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) reference: SeriesRef,
    pub(super) hash: u64,
    pub(super) labels: Box<[(Symbol, Symbol)]>,
    pub(super) open: Open,
    pub(super) open_min: i64,
    /// When the chunk ends at the latest.
    next_at: i64,
    /// The newest in-order sample, that of the batch under way included; `i64::MIN` where there is none.
    pub(super) last_time: i64,
    /// Its value where it is a float.
    pub(super) last_bits: u64,
    pub(super) last_kind: Kind,
    /// Whether the end of a histogram chunk was estimated.
    estimated: bool,
    /// The group of the batch under way in which the series got its newest sample.
    pub(super) group: u32,
    pub(super) closed: Vec<Closed>,
    pub(super) out_of_order: Option<Box<OutOfOrder>>,
    pub(super) extra: Option<Box<Extra>>,
}

impl Series {
    pub(super) fn new(reference: SeriesRef, hash: u64, labels: Box<[(Symbol, Symbol)]>) -> Self {
        Series {
            reference,
            hash,
            labels,
            open: Open::None,
            open_min: i64::MAX,
            next_at: i64::MIN,
            last_time: i64::MIN,
            last_bits: 0,
            last_kind: Kind::Float,
            estimated: false,
            group: 0,
            closed: Vec::new(),
            out_of_order: None,
            extra: None,
        }
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The newest in-order sample in the chunks.
    pub(super) fn committed_max(&self) -> i64 {
        let open = match &self.open {
            Open::None => None,
            Open::Float(chunk) => chunk.last().map(|(timestamp, _)| timestamp),
            Open::Histogram(chunk) => Some(chunk.last_timestamp()),
            Open::FloatHistogram(chunk) => Some(chunk.last_timestamp()),
        };
        open.or_else(|| self.closed.last().map(|chunk| chunk.max_time)).unwrap_or(i64::MIN)
    }

    /// The oldest in-order sample.
    pub(super) fn min_time(&self) -> Option<i64> {
        let open = if self.open.is_none() { None } else { Some(self.open_min) };
        self.closed.first().map(|chunk| chunk.min_time).or(open)
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_empty() && self.out_of_order.is_none()
    }

    /// Takes the newest sample from the chunks again, after a batch that came to nothing or a replay.
    pub(super) fn forget_staged(&mut self) {
        self.last_time = self.committed_max();
        match &self.open {
            Open::Float(chunk) => {
                self.last_kind = Kind::Float;
                self.last_bits = chunk.last().map_or(0, |(_, value)| value.to_bits());
            }
            Open::Histogram(_) => self.last_kind = Kind::Histogram,
            Open::FloatHistogram(_) => self.last_kind = Kind::FloatHistogram,
            Open::None => {}
        }
    }

    fn note(&mut self, timestamp: i64, kind: Kind, bits: u64) {
        if timestamp >= self.last_time {
            (self.last_time, self.last_kind, self.last_bits) = (timestamp, kind, bits);
        }
    }

    /// Appends a float, which must be newer than all others; says whether a chunk was closed.
    #[inline]
    pub(super) fn append_float(&mut self, timestamp: i64, value: f64, range: i64) -> bool {
        let mut closed = false;
        let begins = match &self.open {
            Open::Float(chunk) => {
                let count = chunk.len();
                if count == SAMPLES_PER_CHUNK / 4 {
                    let last = chunk.last().map_or(timestamp, |(timestamp, _)| timestamp);
                    self.next_at = chunk_end(self.open_min, last, self.next_at, 4.0);
                }
                timestamp >= self.next_at
                    || count >= 2 * SAMPLES_PER_CHUNK
                    || chunk.bytes().len() > XOR_BYTES_MAX
            }
            _ => true,
        };
        if begins {
            closed = self.close_float() || self.close();
            if self.open.is_none() {
                self.open = Open::Float(XorAppender::new());
            }
            self.begin(timestamp, range);
        }
        if let Open::Float(chunk) = &mut self.open {
            chunk.append(timestamp, value);
        }
        self.note(timestamp, Kind::Float, value.to_bits());
        closed
    }

    /// As [`Series::append_float`], of a valid histogram.
    pub(super) fn append_histogram(&mut self, timestamp: i64, histogram: &Histogram, range: i64) -> bool {
        self.note(timestamp, Kind::Histogram, 0);
        let state = match &self.open {
            Open::Histogram(chunk) => Some((chunk.len(), chunk.bytes().len(), chunk.last_timestamp())),
            _ => None,
        };
        if let Some((samples, bytes, last)) = state
            && !self.histogram_chunk_ends(timestamp, samples, bytes, last, range)
            && let Open::Histogram(chunk) = &mut self.open
        {
            let Appended::Cut(next) = chunk.append(timestamp, histogram) else {
                return false;
            };
            let closed = self.close();
            self.open = Open::Histogram(next);
            self.begin(timestamp, range);
            return closed;
        }
        let before = match &self.open {
            Open::Histogram(chunk) => Some(&**chunk),
            _ => None,
        };
        let next = HistogramAppender::begin(before, timestamp, histogram);
        let closed = self.close();
        self.open = Open::Histogram(Box::new(next));
        self.begin(timestamp, range);
        closed
    }

    /// As [`Series::append_float`], of a valid float histogram.
    pub(super) fn append_float_histogram(
        &mut self,
        timestamp: i64,
        histogram: &FloatHistogram,
        range: i64,
    ) -> bool {
        self.note(timestamp, Kind::FloatHistogram, 0);
        let state = match &self.open {
            Open::FloatHistogram(chunk) => Some((chunk.len(), chunk.bytes().len(), chunk.last_timestamp())),
            _ => None,
        };
        if let Some((samples, bytes, last)) = state
            && !self.histogram_chunk_ends(timestamp, samples, bytes, last, range)
            && let Open::FloatHistogram(chunk) = &mut self.open
        {
            let Appended::Cut(next) = chunk.append(timestamp, histogram) else {
                return false;
            };
            let closed = self.close();
            self.open = Open::FloatHistogram(next);
            self.begin(timestamp, range);
            return closed;
        }
        let before = match &self.open {
            Open::FloatHistogram(chunk) => Some(&**chunk),
            _ => None,
        };
        let next = FloatHistogramAppender::begin(before, timestamp, histogram);
        let closed = self.close();
        self.open = Open::FloatHistogram(Box::new(next));
        self.begin(timestamp, range);
        closed
    }

    const fn begin(&mut self, timestamp: i64, range: i64) {
        (self.open_min, self.next_at, self.estimated) = (timestamp, range_end(timestamp, range), false);
    }

    /// Whether a histogram belongs into a new chunk, by its time and the size of the current one.
    fn histogram_chunk_ends(
        &mut self,
        timestamp: i64,
        samples: u16,
        bytes: usize,
        last: i64,
        range: i64,
    ) -> bool {
        let at_latest = if self.estimated { range_end(self.open_min, range) } else { self.next_at };
        if !self.estimated && bytes >= HISTOGRAM_BYTES / 4 {
            let ratio = HISTOGRAM_BYTES as f64 / bytes as f64;
            self.next_at = chunk_end(self.open_min, last, self.next_at, ratio);
            self.estimated = true;
        }
        let full = timestamp >= self.next_at || bytes >= 2 * HISTOGRAM_BYTES;
        full && (samples >= HISTOGRAM_SAMPLES_MIN || timestamp >= at_latest)
    }

    /// Makes the growing chunk a complete one; says whether there was one.
    pub(super) fn close(&mut self) -> bool {
        if self.open.is_none() {
            return false;
        }
        let max_time = self.committed_max();
        let (encoding, samples, bytes) = match std::mem::take(&mut self.open) {
            Open::None => return false,
            Open::Float(chunk) => (Encoding::Xor, chunk.len(), chunk.into_bytes()),
            Open::Histogram(chunk) => (Encoding::Histogram, chunk.len(), chunk.into_bytes()),
            Open::FloatHistogram(chunk) => (Encoding::FloatHistogram, chunk.len(), chunk.into_bytes()),
        };
        self.push_closed(max_time, samples, encoding, bytes.into());
        true
    }

    /// As [`Series::close`], where floats are to follow floats: the next chunk takes the memory of this one, which is about as
    /// long.
    fn close_float(&mut self) -> bool {
        let max_time = self.committed_max();
        let Open::Float(chunk) = &mut self.open else {
            return false;
        };
        let (samples, bytes) = (chunk.len(), chunk.bytes().into());
        chunk.restart();
        self.push_closed(max_time, samples, Encoding::Xor, bytes);
        true
    }

    fn push_closed(&mut self, max_time: i64, samples: u16, encoding: Encoding, bytes: Box<[u8]>) {
        // There are few, and each lasts for long.
        self.closed.reserve_exact(1);
        let (min_time, place) = (self.open_min, Place::Memory(bytes));
        self.closed.push(Closed { min_time, max_time, samples, encoding, place });
    }
}

/// When a chunk should end so that the chunks of a time range get about equally many samples: `ratio` says how often what it
/// has by now fits into a full one.
fn chunk_end(start: i64, current: i64, end: i64, ratio: f64) -> i64 {
    let whole = end.saturating_sub(start) as f64;
    let chunks = whole / (current.saturating_sub(start).saturating_add(1) as f64 * ratio);
    if chunks <= 1.0 {
        return end;
    }
    (start as f64 + whole / chunks.floor()) as i64
}
