//! One message of the answer to `Series`, written and read by hand.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, skip_field};
use prost::{DecodeError, Message};

use crate::LabelBytes;
use crate::chunk::AggrChunk;
use crate::codec::{Fields, Value, WireError, Writer, bytes_behind, bytes_key, bytes_len, put_length};
use crate::label_bytes::{Collector, leading};

/// A series, or as much of it as fits into a frame (message `Series`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Its labels.
    pub labels: LabelBytes,
    /// Its chunks, in the order of their times.
    pub chunks: Vec<AggrChunk>,
}

impl Series {
    /// How many bytes the series takes on the wire.
    pub fn encoded_len(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| bytes_len(chunk.encoded_len())).sum();
        self.labels.as_wire().len() + chunks
    }

    fn encode(&self, into: &mut Writer<'_, impl BufMut>) {
        into.bytes(self.labels.as_wire());
        for chunk in &self.chunks {
            into.length(2, chunk.encoded_len());
            chunk.encode(into);
        }
    }

    fn decode(message: &Bytes, series: &[u8]) -> Result<Self, WireError> {
        let (labels, rest) = leading(message, series)?;
        let mut decoded = Series { labels, chunks: Vec::with_capacity(chunks_in(rest)) };
        let mut more = Collector::default();
        let mut scattered = false;
        let mut rest = rest;
        while let Some((chunk, after)) = bytes_behind(rest, CHUNK) {
            decoded.chunks.push(AggrChunk::decode(message, chunk)?);
            rest = after;
        }
        let mut fields = Fields::new(rest);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(label)) => {
                    scattered = true;
                    more.push(label)?;
                }
                (2, Value::Bytes(chunk)) => decoded.chunks.push(AggrChunk::decode(message, chunk)?),
                (1 | 2, _) => return Err(WireError::WireType(number)),
                _ => {}
            }
        }
        if scattered {
            let more = more.finish();
            decoded.labels = LabelBytes::from_pairs(decoded.labels.iter().chain(more.iter()));
        }
        Ok(decoded)
    }
}

/// The key of a chunk in a series.
const CHUNK: u8 = bytes_key(2);

/// How many chunks come first, so that they take no more memory than they need.
fn chunks_in(mut rest: &[u8]) -> usize {
    let mut count = 0;
    while let Some((_, after)) = bytes_behind(rest, CHUNK) {
        (rest, count) = (after, count + 1);
    }
    count
}

/// One message of the answer to `Series` (`SeriesResponse`).
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesFrame {
    /// One series.
    Series(Series),
    /// Several; none where the message was empty or of a kind that nobody here knows.
    Batch(Vec<Series>),
    /// What went wrong without making the rest useless.
    Warning(String),
    /// What a store tells about how it answered.
    Hints(prost_types::Any),
}

impl Default for SeriesFrame {
    fn default() -> Self {
        SeriesFrame::Batch(Vec::new())
    }
}

impl SeriesFrame {
    /// Reads a message; labels and chunks share its memory.
    pub fn from_wire(message: &Bytes) -> Result<Self, WireError> {
        let mut frame = SeriesFrame::default();
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(series)) => frame = SeriesFrame::Series(Series::decode(message, series)?),
                (2, Value::Bytes(text)) => {
                    let text = std::str::from_utf8(text).map_err(|_| WireError::Text)?;
                    frame = SeriesFrame::Warning(text.to_owned());
                }
                (3, Value::Bytes(any)) => frame = SeriesFrame::Hints(decode_any(any)?),
                (4, Value::Bytes(batch)) => frame = SeriesFrame::Batch(decode_batch(message, batch)?),
                (1..=4, _) => return Err(WireError::WireType(number)),
                _ => {}
            }
        }
        Ok(frame)
    }
}

fn decode_batch(message: &Bytes, batch: &[u8]) -> Result<Vec<Series>, WireError> {
    let mut list = Vec::new();
    let mut fields = Fields::new(batch);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(series)) => list.push(Series::decode(message, series)?),
            (1, _) => return Err(WireError::WireType(number)),
            _ => {}
        }
    }
    Ok(list)
}

fn decode_any(any: &[u8]) -> Result<prost_types::Any, WireError> {
    let mut decoded = prost_types::Any::default();
    let mut fields = Fields::new(any);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(url)) => {
                decoded.type_url = std::str::from_utf8(url).map_err(|_| WireError::Text)?.to_owned();
            }
            (2, Value::Bytes(value)) => decoded.value = value.to_vec(),
            (1 | 2, _) => return Err(WireError::WireType(number)),
            _ => {}
        }
    }
    Ok(decoded)
}

impl Message for SeriesFrame {
    fn encode_raw(&self, into: &mut impl BufMut) {
        match self {
            SeriesFrame::Series(series) => {
                let mut into = Writer::new(into);
                into.length(1, series.encoded_len());
                series.encode(&mut into);
                into.flush();
            }
            SeriesFrame::Warning(text) => {
                put_length(into, 2, text.len());
                into.put_slice(text.as_bytes());
            }
            SeriesFrame::Hints(any) => {
                put_length(into, 3, any.encoded_len());
                any.encode_raw(into);
            }
            SeriesFrame::Batch(list) if list.is_empty() => {}
            SeriesFrame::Batch(list) => {
                let lengths: Vec<usize> = list.iter().map(Series::encoded_len).collect();
                let mut into = Writer::new(into);
                into.length(4, lengths.iter().map(|length| bytes_len(*length)).sum());
                for (series, length) in list.iter().zip(lengths) {
                    into.length(1, length);
                    series.encode(&mut into);
                }
                into.flush();
            }
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            SeriesFrame::Series(series) => bytes_len(series.encoded_len()),
            SeriesFrame::Warning(text) => bytes_len(text.len()),
            SeriesFrame::Hints(any) => bytes_len(any.encoded_len()),
            SeriesFrame::Batch(list) if list.is_empty() => 0,
            SeriesFrame::Batch(list) => {
                bytes_len(list.iter().map(|series| bytes_len(series.encoded_len())).sum())
            }
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        // Only reached when the frame is a field of another message, which it is nowhere; whole messages go through `decode`.
        skip_field(wire_type, tag, buf, context)
    }

    fn decode(mut buf: impl Buf) -> Result<Self, DecodeError> {
        let message = buf.copy_to_bytes(buf.remaining());
        #[expect(deprecated, reason = "there is no other way to make one")]
        Self::from_wire(&message).map_err(|error| DecodeError::new(error.to_string()))
    }

    fn clear(&mut self) {
        *self = SeriesFrame::default();
    }
}
