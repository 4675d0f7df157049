//! The framing of streamed remote read: uvarint length, CRC-32C (big endian) of the message, the message.
//!
//! The body arrives in pieces that have nothing to do with frames. A message that lies whole in one piece is a slice of it;
//! only one that crosses a border is copied together.

use bytes::{Buf, Bytes, BytesMut};

/// The longest message that is taken; Prometheus sends at most about 1 MiB unless it is told otherwise.
pub(super) const MESSAGE_BYTES_MAX: u64 = 50_000_000;
/// Room that is made for a message before its bytes are there.
const CARRIED_BYTES: usize = 1 << 20;
const CHECKSUM_BYTES: usize = 4;
/// A uvarint of 64 bits has no more bytes.
const LENGTH_BYTES_MAX: usize = 10;

/// A body that is no sequence of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// The length is no number.
    #[error("chunkedReader: the length of a message is damaged")]
    Length,
    /// The message is longer than any that Prometheus sends.
    #[error("chunkedReader: message size exceeded the limit {limit} bytes; got: {got} bytes")]
    TooLong {
        /// Bytes allowed.
        limit: u64,
        /// Bytes announced.
        got: u64,
    },
    /// The checksum is not that of the message.
    #[error("chunkedReader: corrupted frame; checksum mismatch")]
    Checksum,
    /// The body ends inside a frame.
    #[error("unexpected EOF")]
    Short,
}

/// Cuts a body into messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The part of the body that was not taken yet, without what is in `carried`.
    piece: Bytes,
    /// The beginning of a frame that crosses a border of pieces.
    carried: BytesMut,
}

impl Frames {
    /// Adds the next piece of the body. What the piece before left must have been taken by [`Frames::next`].
    pub(super) fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() {
            self.piece = piece;
        } else {
            self.carry_all();
            self.piece = piece;
        }
    }

    /// The next whole message; `None` when more of the body is needed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        if !self.carried.is_empty() {
            return self.next_across();
        }
        let Some((length, header)) = header(&self.piece)? else {
            self.carry_all();
            return Ok(None);
        };
        let end = header + CHECKSUM_BYTES + length;
        if self.piece.len() < end {
            self.carried.reserve(end.min(CARRIED_BYTES));
            self.carry_all();
            return Ok(None);
        }
        let mut frame = self.piece.split_to(end);
        frame.advance(header);
        checked(frame).map(Some)
    }

    /// Whether the body may end here.
    pub(super) fn finish(&self) -> Result<(), FrameError> {
        if self.piece.is_empty() && self.carried.is_empty() { Ok(()) } else { Err(FrameError::Short) }
    }

    /// As [`Frames::next`], for a frame whose beginning was carried over: takes just as much as it needs.
    fn next_across(&mut self) -> Result<Option<Bytes>, FrameError> {
        let (length, header) = loop {
            if let Some(found) = header(&self.carried)? {
                break found;
            }
            if self.piece.is_empty() {
                return Ok(None);
            }
            self.carried.extend_from_slice(&self.piece.split_to(1));
        };
        let end = header + CHECKSUM_BYTES + length;
        let missing = end.saturating_sub(self.carried.len()).min(self.piece.len());
        self.carried.extend_from_slice(&self.piece.split_to(missing));
        if self.carried.len() < end {
            return Ok(None);
        }
        let mut frame = self.carried.split_to(end).freeze();
        frame.advance(header);
        checked(frame).map(Some)
    }

    fn carry_all(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.carried.extend_from_slice(&piece);
    }
}

/// The length of the message that begins here, and how many bytes the length takes; `None` when it is not all there.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let mut length = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(LENGTH_BYTES_MAX) {
        length |= u64::from(byte & 0x7f).checked_shl(7 * at as u32).ok_or(FrameError::Length)?;
        if *byte < 0x80 {
            if length > MESSAGE_BYTES_MAX {
                return Err(FrameError::TooLong { limit: MESSAGE_BYTES_MAX, got: length });
            }
            return Ok(Some((usize::try_from(length).map_err(|_| FrameError::Length)?, at + 1)));
        }
    }
    if bytes.len() >= LENGTH_BYTES_MAX { Err(FrameError::Length) } else { Ok(None) }
}

/// The message behind its checksum.
fn checked(mut frame: Bytes) -> Result<Bytes, FrameError> {
    let expected = frame.try_get_u32().map_err(|_| FrameError::Short)?;
    let found = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &frame);
    if u64::from(expected) == found { Ok(frame) } else { Err(FrameError::Checksum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut length = message.len();
        while length >= 0x80 {
            bytes.push((length as u8) | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, message) as u32;
        bytes.extend(sum.to_be_bytes());
        bytes.extend(message);
        bytes
    }

    fn messages(body: &[u8], piece: usize) -> Result<Vec<Bytes>, FrameError> {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for piece in body.chunks(piece) {
            frames.push(Bytes::copy_from_slice(piece));
            while let Some(message) = frames.next()? {
                found.push(message);
            }
        }
        frames.finish().map(|()| found)
    }

    #[test]
    fn pieces_of_every_size_give_the_same_messages() {
        let sent: Vec<Vec<u8>> = [0usize, 1, 127, 128, 300, 20_000].map(|n| vec![n as u8; n]).into();
        let body: Vec<u8> = sent.iter().flat_map(|message| frame(message)).collect();
        for piece in [1, 2, 3, 5, 7, 64, 131, 4096, body.len()] {
            assert_eq!(messages(&body, piece).expect("sound"), sent, "pieces of {piece} bytes");
        }
    }

    #[test]
    fn a_message_inside_a_piece_is_not_copied() {
        let body = Bytes::from([frame(b"one"), frame(b"two")].concat());
        let mut frames = Frames::default();
        frames.push(body.clone());
        let (one, two) = (frames.next().expect("sound"), frames.next().expect("sound"));
        let inside = |message: &Bytes| body.as_ptr_range().contains(&message.as_ptr());
        assert!(one.as_ref().is_some_and(inside) && two.as_ref().is_some_and(inside), "{one:?} {two:?}");
    }

    #[test]
    fn damage_is_named() {
        let sound = frame(b"message");
        for at in 1..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            assert_eq!(messages(&damaged, 4), Err(FrameError::Checksum), "byte {at}");
        }
        for end in 1..sound.len() {
            assert_eq!(messages(&sound[..end], 3), Err(FrameError::Short), "{end} bytes");
        }
        assert_eq!(messages(&[0xff; 20], 20), Err(FrameError::Length));
        let long = [0x80, 0xe2, 0xeb, 0x17, 0, 0, 0, 0];
        assert_eq!(messages(&long, 3), Err(FrameError::TooLong { limit: 50_000_000, got: 50_000_128 }));
    }
}
