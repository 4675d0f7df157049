//! Rows to chunks: cut after 120 samples, where the kind of samples changes, and where histograms ask for it.

use tsdb::BlockId;
use tsdb::chunk::{Appended, Encoding, FloatHistogramAppender, HistogramAppender, XorEncoder};

use super::decoded::{Decoded, Kind};
use super::gather::Chunk;

/// Where Prometheus cuts chunks that it encodes anew.
pub(super) const SAMPLES_MAX: u16 = 120;

/// Encodes rows; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    floats: XorEncoder,
    /// The samples of an open chunk of floats.
    float_times: Vec<i64>,
    float_values: Vec<f64>,
    open: Open,
    /// The times of the open chunk.
    times: (i64, i64),
    samples: u16,
}

/// The chunk that is made.
#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    /// Its samples are in `float_times` and `float_values`.
    Floats,
    Whole(Box<HistogramAppender>),
    FloatHistograms(Box<FloatHistogramAppender>),
}

/// Where chunks go.
struct Sink<'a> {
    bytes: &'a mut Vec<u8>,
    chunks: &'a mut Vec<Chunk>,
    block: BlockId,
}

impl Encoder {
    /// Encodes rows in chunks of at most `limit` samples, which are put behind `bytes` and into `chunks`.
    pub(super) fn encode(
        &mut self,
        decoded: &Decoded,
        rows: &[u32],
        limit: u16,
        block: BlockId,
        bytes: &mut Vec<u8>,
        chunks: &mut Vec<Chunk>,
    ) {
        let mut sink = Sink { bytes, chunks, block };
        if decoded.is_float() {
            self.floats(decoded, rows, limit, &mut sink);
            return self.close(&mut sink);
        }
        let mut rows = rows;
        while let Some(first) = rows.first() {
            let Some(part) = decoded.part_of(*first as usize) else { break };
            let run = rows.iter().take_while(|row| part.rows.contains(&(**row as usize))).count();
            let (of_part, others) = rows.split_at_checked(run.max(1)).unwrap_or_default();
            match part.kind {
                Kind::Float => self.floats(decoded, of_part, limit, &mut sink),
                Kind::Whole(at) => {
                    for row in of_part {
                        let position = (*row as usize).saturating_sub(part.rows.start);
                        if let Some((time, sample)) = decoded.wholes(at).and_then(|all| all.get(position)) {
                            self.whole(time, &sample, limit, &mut sink);
                        }
                    }
                }
                Kind::FloatHistogram(at) => {
                    for row in of_part {
                        let position = (*row as usize).saturating_sub(part.rows.start);
                        let all = decoded.float_histograms(at);
                        if let Some((time, sample)) = all.and_then(|all| all.get(position)) {
                            self.float_histogram(time, &sample, limit, &mut sink);
                        }
                    }
                }
            }
            rows = others;
        }
        self.close(&mut sink);
    }

    fn floats(&mut self, decoded: &Decoded, rows: &[u32], limit: u16, sink: &mut Sink<'_>) {
        let (times, values) = (decoded.times(), decoded.values());
        let mut rows = rows;
        while let Some(first) = rows.first() {
            let room = if matches!(self.open, Open::Floats) { limit.saturating_sub(self.samples) } else { 0 };
            if room == 0 {
                self.close(sink);
                self.float_times.clear();
                self.float_values.clear();
                self.begin(Open::Floats, times.get(*first as usize).copied().unwrap_or(0));
            }
            let room = usize::from(limit.saturating_sub(self.samples).max(1)).min(rows.len());
            let (fitting, others) = rows.split_at_checked(room).unwrap_or_default();
            let sample = |row: &u32| Some((*times.get(*row as usize)?, *values.get(*row as usize)?));
            for (time, value) in fitting.iter().filter_map(sample) {
                self.float_times.push(time);
                self.float_values.push(value);
            }
            self.times.1 = self.float_times.last().copied().unwrap_or(self.times.1);
            self.samples = u16::try_from(self.float_times.len()).unwrap_or(u16::MAX);
            rows = others;
        }
    }

    fn whole(&mut self, time: i64, sample: &prom_model::Histogram, limit: u16, sink: &mut Sink<'_>) {
        let next = match &mut self.open {
            Open::Whole(open) if self.samples < limit => match open.append(time, sample) {
                Appended::Cut(next) => Some(next),
                Appended::Inside | Appended::Rewritten => None,
            },
            _ => Some(Box::new(HistogramAppender::begin(None, time, sample))),
        };
        if let Some(next) = next {
            self.close(sink);
            self.begin(Open::Whole(next), time);
        }
        self.added(time);
    }

    fn float_histogram(
        &mut self,
        time: i64,
        sample: &prom_model::FloatHistogram,
        limit: u16,
        sink: &mut Sink<'_>,
    ) {
        let next = match &mut self.open {
            Open::FloatHistograms(open) if self.samples < limit => match open.append(time, sample) {
                Appended::Cut(next) => Some(next),
                Appended::Inside | Appended::Rewritten => None,
            },
            _ => Some(Box::new(FloatHistogramAppender::begin(None, time, sample))),
        };
        if let Some(next) = next {
            self.close(sink);
            self.begin(Open::FloatHistograms(next), time);
        }
        self.added(time);
    }

    fn begin(&mut self, open: Open, time: i64) {
        (self.open, self.times, self.samples) = (open, (time, time), 0);
    }

    fn added(&mut self, time: i64) {
        self.times.1 = time;
        self.samples = self.samples.saturating_add(1);
    }

    /// Puts the open chunk where it goes.
    fn close(&mut self, sink: &mut Sink<'_>) {
        let (encoding, data) = match &self.open {
            Open::None => return,
            Open::Floats => {
                let chunk = self.floats.encode(&self.float_times, &self.float_values);
                (Encoding::Xor, chunk.unwrap_or_default())
            }
            Open::Whole(open) => (Encoding::Histogram, open.bytes()),
            Open::FloatHistograms(open) => (Encoding::FloatHistogram, open.bytes()),
        };
        sink.put((self.times.0, self.times.1), encoding, self.samples, data);
        self.open = Open::None;
    }
}

impl Sink<'_> {
    fn put(&mut self, times: (i64, i64), encoding: Encoding, samples: u16, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.chunks.push(Chunk {
            min_time: times.0,
            max_time: times.1,
            encoding,
            samples: samples.into(),
            bytes: start..self.bytes.len(),
            block: self.block,
            is_checked: true,
        });
    }
}
