//! Snappy and gzip on the wire, on both sides: bodies in which each message is packed or unpacked by itself.
//!
//! Thanos' peers speak snappy, which tonic does not know. Here a body is unpacked before tonic sees it, and packed after; the
//! headers that would tell are taken away. Messages are handled as they come: a stream is never collected.

use std::io::{Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use snap::raw::Encoder;
use tonic::Status;
use tonic::body::Body;

use super::frames::{Collected, PREFIX, Whole, too_large};
use super::snappy::{self, SnappyError};

/// The header that names the encoding of a body's messages.
pub(super) const ENCODING: &str = "grpc-encoding";
/// The header that says what we understand.
pub(super) const ACCEPTED: &str = "grpc-accept-encoding";
/// What we understand, as Go's peers write it.
pub(super) const ALL: HeaderValue = HeaderValue::from_static("snappy,gzip");

/// An encoding of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Snappy,
    Gzip,
}

impl Encoding {
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Snappy => "snappy",
            Self::Gzip => "gzip",
        })
    }

    /// Takes the encoding out of the headers.
    ///
    /// One that is not known is answered as Go's servers do.
    pub(super) fn take(headers: &mut HeaderMap) -> Result<Option<Self>, Status> {
        match headers.remove(ENCODING) {
            None => Ok(None),
            Some(value) if value == "identity" => Ok(None),
            Some(value) if value == "snappy" => Ok(Some(Self::Snappy)),
            Some(value) if value == "gzip" => Ok(Some(Self::Gzip)),
            Some(value) => Err(Status::unimplemented(format!(
                "grpc: Decompressor is not installed for grpc-encoding {:?}",
                String::from_utf8_lossy(value.as_bytes())
            ))),
        }
    }

    /// The plain message with its prefix.
    fn unpack(self, packed: &[u8], max: usize) -> Result<Vec<u8>, Status> {
        let mut message = vec![0; PREFIX];
        let large =
            |length| too_large("grpc: received message after decompression larger than max", length, max);
        match self {
            Self::Snappy => snappy::decompress(packed, max, &mut message).map_err(|error| match error {
                SnappyError::TooLarge(length) => large(length),
                other => corrupt(&other),
            })?,
            Self::Gzip => {
                let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
                let read = GzDecoder::new(packed).take(limit).read_to_end(&mut message);
                let length = read.map_err(|error| corrupt(&error))?;
                if length > max {
                    return Err(large(length));
                }
            }
        }
        let length = length_of(message.len() - PREFIX)?;
        if let Some((_, place)) =
            message.first_chunk_mut::<PREFIX>().and_then(|prefix| prefix.split_first_mut())
        {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(message)
    }
}

fn corrupt(error: &dyn std::error::Error) -> Status {
    Status::internal(format!("grpc: failed to decompress the received message: {error}"))
}

/// A body whose messages come out plain.
pub(super) struct Unpacked {
    inner: Body,
    encoding: Encoding,
    max: usize,
    collected: Collected,
    ended: bool,
}

impl Unpacked {
    pub(super) fn wrap(inner: Body, encoding: Encoding, max: usize) -> Body {
        Body::new(Self { inner, encoding, max, collected: Collected::default(), ended: false })
    }

    /// The next message, with its prefix.
    fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(Whole { compressed, payload }) = self.collected.next(self.max)? else {
            return Ok(None);
        };
        if compressed {
            return Ok(Some(self.encoding.unpack(&payload, self.max)?.into()));
        }
        let mut message = Vec::with_capacity(PREFIX + payload.len());
        prefix(false, payload.len(), &mut message)?;
        message.extend_from_slice(&payload);
        Ok(Some(message.into()))
    }
}

impl HttpBody for Unpacked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            match self.next() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
                Ok(None) => {}
                Err(status) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(status)));
                }
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.collected.push(&data),
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => {
                    self.ended = true;
                    if !self.collected.is_empty() {
                        return Poll::Ready(Some(Err(Status::internal("unexpected EOF"))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.collected.is_empty() && self.inner.is_end_stream())
    }
}

/// A body whose messages come out packed; empty ones stay as they are, as in Go.
pub(super) struct Packed {
    inner: Body,
    encoding: Encoding,
    encoder: Encoder,
    collected: Collected,
}

impl Packed {
    pub(super) fn wrap(inner: Body, encoding: Encoding) -> Body {
        Body::new(Self { inner, encoding, encoder: Encoder::new(), collected: Collected::default() })
    }

    /// All whole messages that are there.
    fn pack(&mut self) -> Result<Vec<u8>, Status> {
        let mut out = Vec::new();
        while let Some(Whole { payload, .. }) = self.collected.next(usize::MAX)? {
            if payload.is_empty() {
                prefix(false, 0, &mut out)?;
                continue;
            }
            let mut packed = Vec::with_capacity(payload.len() / 2);
            match self.encoding {
                Encoding::Snappy => snappy::compress(&mut self.encoder, &payload, &mut packed),
                Encoding::Gzip => {
                    let mut writer = GzEncoder::new(&mut packed, flate2::Compression::default());
                    let written = writer.write_all(&payload).and_then(|()| writer.finish().map(drop));
                    written.map_err(|error| {
                        Status::internal(format!("grpc: error while compressing: {error}"))
                    })?;
                }
            }
            prefix(true, packed.len(), &mut out)?;
            out.extend_from_slice(&packed);
        }
        Ok(out)
    }
}

impl HttpBody for Packed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.collected.push(&data);
                        match self.pack() {
                            Ok(packed) if packed.is_empty() => {}
                            Ok(packed) => return Poll::Ready(Some(Ok(Frame::data(packed.into())))),
                            Err(status) => return Poll::Ready(Some(Err(status))),
                        }
                    }
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn prefix(compressed: bool, length: usize, out: &mut Vec<u8>) -> Result<(), Status> {
    out.push(u8::from(compressed));
    out.extend_from_slice(&length_of(length)?.to_be_bytes());
    Ok(())
}

fn length_of(length: usize) -> Result<u32, Status> {
    u32::try_from(length)
        .map_err(|_| too_large("grpc: trying to send message larger than max", length, u32::MAX as usize))
}

#[cfg(test)]
mod tests;
