//! Messages of gRPC inside the bytes of a body: five bytes of prefix (a flag and a length), then the message.

use bytes::{Buf, Bytes, BytesMut};
use tonic::Status;

/// The prefix: whether the message is compressed, and how long it is.
pub(super) const PREFIX: usize = 5;

/// Counts messages as their bytes pass by.
#[derive(Debug, Default)]
pub(super) struct Counted {
    prefix: [u8; PREFIX],
    filled: usize,
    /// Bytes of the current message that are still to come.
    open: usize,
}

impl Counted {
    /// How many messages end within these bytes; one above `max` bytes is refused.
    pub(super) fn pass(&mut self, mut bytes: &[u8], max: usize) -> Result<u64, Status> {
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.open > 0 {
                let taken = self.open.min(bytes.len());
                bytes = bytes.split_at(taken).1;
                self.open -= taken;
                ended += u64::from(self.open == 0);
                continue;
            }
            let (free, taken) = (PREFIX - self.filled, (PREFIX - self.filled).min(bytes.len()));
            let (head, tail) = bytes.split_at(taken);
            if let Some(place) = self.prefix.get_mut(self.filled..self.filled + taken) {
                place.copy_from_slice(head);
            }
            bytes = tail;
            self.filled += taken;
            if taken == free {
                let [_, a, b, c, d] = self.prefix;
                self.filled = 0;
                self.open = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.open > max {
                    return Err(too_large("grpc: received message larger than max", self.open, max));
                }
                ended += u64::from(self.open == 0);
            }
        }
        Ok(ended)
    }
}

/// One whole message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) compressed: bool,
    pub(super) payload: Bytes,
}

/// Puts messages together from the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Collected {
    buffer: BytesMut,
}

impl Collected {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end with the end of a message.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole message, if it is there; one above `max` bytes is refused with its prefix.
    pub(super) fn next(&mut self, max: usize) -> Result<Option<Whole>, Status> {
        let Some(&[flag, a, b, c, d]) = self.buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > max {
            return Err(too_large("grpc: received message larger than max", length, max));
        }
        if self.buffer.len() < PREFIX + length {
            // Room for all of it at once, but never more than a client has sent of it in a first large step.
            self.buffer.reserve((PREFIX + length - self.buffer.len()).min(1 << 20));
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        Ok(Some(Whole { compressed: flag == 1, payload: self.buffer.split_to(length).freeze() }))
    }
}

/// What Go's library says.
pub(super) fn too_large(what: &str, length: usize, max: usize) -> Status {
    Status::resource_exhausted(format!("{what} ({length} vs. {max})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for size in sizes {
            bytes.push(0);
            bytes.extend(u32::try_from(*size).unwrap().to_be_bytes());
            bytes.extend(vec![7; *size]);
        }
        bytes
    }

    #[test]
    fn messages_are_counted_and_collected_however_the_bytes_are_cut() {
        let sizes = [0, 1, 5, 300, 0, 4];
        let bytes = messages(&sizes);
        for step in [1, 2, 3, 5, 7, 64, bytes.len()] {
            let (mut counted, mut collected) = (Counted::default(), Collected::default());
            let (mut count, mut found) = (0, Vec::new());
            for piece in bytes.chunks(step) {
                count += counted.pass(piece, 300).unwrap();
                collected.push(piece);
                while let Some(whole) = collected.next(300).unwrap() {
                    found.push(whole.payload.len());
                }
            }
            assert_eq!((count, found.as_slice()), (6, sizes.as_slice()), "step {step}");
            assert!(collected.is_empty());
        }
    }

    #[test]
    fn a_large_message_is_refused_by_its_prefix() {
        let mut collected = Collected::default();
        collected.push(&[0, 0xff, 0xff, 0xff, 0xff]);
        let status = collected.next(1000).unwrap_err();
        let passed = Counted::default().pass(&[0, 0xff, 0xff, 0xff, 0xff], 1000).unwrap_err();
        assert_eq!(passed.message(), status.message());
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(status.message(), "grpc: received message larger than max (4294967295 vs. 1000)");
    }
}
